-- The app's tables on SQLite, for the embedded database: the names of PostgreSQL's, enums as checked text, lists as
-- JSON, and the indexes on notification_logs that PostgreSQL gets by `realtime migrate --indexes`.
-- Times are DATETIME, which is what the driver reads as a time, and always in UTC.
-- +goose Up

CREATE TABLE "tenants" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "email" TEXT,
    "phone" TEXT,
    "address" TEXT,
    "city" TEXT,
    "country" TEXT NOT NULL DEFAULT 'México',
    "timezone" TEXT NOT NULL DEFAULT 'America/Mexico_City',
    "currency" TEXT NOT NULL DEFAULT 'MXN',
    "logo" TEXT,
    "subdomain" TEXT,
    "primaryColor" TEXT NOT NULL DEFAULT '#3B82F6',
    "secondaryColor" TEXT NOT NULL DEFAULT '#EF4444',
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "allowOnlineBooking" BOOLEAN NOT NULL DEFAULT true,
    "requireClientPhone" BOOLEAN NOT NULL DEFAULT true,
    "requireClientEmail" BOOLEAN NOT NULL DEFAULT false,
    "bookingAdvanceDays" INTEGER NOT NULL DEFAULT 30,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

CREATE TABLE "branches" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "address" TEXT,
    "phone" TEXT,
    "email" TEXT,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "branches_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "branches_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "users" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "password" TEXT,
    "firstName" TEXT NOT NULL,
    "lastName" TEXT NOT NULL,
    "phone" TEXT,
    "avatar" TEXT,
    "role" TEXT NOT NULL DEFAULT 'PROFESSIONAL'
        CHECK ("role" IN ('SUPERADMIN', 'ADMIN', 'MANAGER', 'PROFESSIONAL', 'RECEPTIONIST',
            'CLIENT')),
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "tenantId" TEXT NOT NULL,
    "branchId" TEXT,
    "emailVerified" DATETIME,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "users_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "users_branchId_fkey" FOREIGN KEY ("branchId")
        REFERENCES "branches" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE "clients" (
    "id" TEXT NOT NULL,
    "firstName" TEXT NOT NULL,
    "lastName" TEXT NOT NULL,
    "email" TEXT,
    "phone" TEXT NOT NULL,
    "address" TEXT,
    "birthday" DATETIME,
    "notes" TEXT,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "clients_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "clients_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "client_users" (
    "id" TEXT NOT NULL,
    "email" TEXT NOT NULL,
    "password" TEXT,
    "firstName" TEXT NOT NULL,
    "lastName" TEXT NOT NULL,
    "phone" TEXT NOT NULL,
    "avatar" TEXT,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "tenantId" TEXT NOT NULL,
    "clientId" TEXT,
    "emailVerified" DATETIME,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "client_users_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "client_users_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "client_users_clientId_fkey" FOREIGN KEY ("clientId")
        REFERENCES "clients" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE "service_categories" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "service_categories_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "service_categories_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "services" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "description" TEXT,
    "duration" INTEGER NOT NULL,
    "price" REAL NOT NULL,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "color" TEXT NOT NULL DEFAULT '#3B82F6',
    "tenantId" TEXT NOT NULL,
    "categoryId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "services_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "services_categoryId_fkey" FOREIGN KEY ("categoryId")
        REFERENCES "service_categories" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "services_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "external_calendar_connections" (
    "id" TEXT NOT NULL,
    "tenantId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "external_calendar_connections_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "external_calendar_connections_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "external_calendar_connections_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "appointments" (
    "id" TEXT NOT NULL,
    "startTime" DATETIME NOT NULL,
    "endTime" DATETIME NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'PENDING'
        CHECK ("status" IN ('PENDING', 'CONFIRMED', 'COMPLETED', 'CANCELLED', 'NO_SHOW')),
    "notes" TEXT,
    "isOnline" BOOLEAN NOT NULL DEFAULT false,
    "notificationsSent" BOOLEAN NOT NULL DEFAULT false,
    "tenantId" TEXT NOT NULL,
    "branchId" TEXT NOT NULL,
    "clientId" TEXT NOT NULL,
    "serviceId" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,
    "externalConnectionId" TEXT,
    "externalEventUrl" TEXT,
    "externalEventUid" TEXT,
    "externalEtag" TEXT,
    "lastModifiedSource" TEXT,
    "icloudSyncEnabled" BOOLEAN NOT NULL DEFAULT false,

    CONSTRAINT "appointments_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "appointments_branchId_fkey" FOREIGN KEY ("branchId")
        REFERENCES "branches" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "appointments_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "appointments_clientId_fkey" FOREIGN KEY ("clientId")
        REFERENCES "clients" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "appointments_serviceId_fkey" FOREIGN KEY ("serviceId")
        REFERENCES "services" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "appointments_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE RESTRICT ON UPDATE CASCADE,
    CONSTRAINT "appointments_externalConnectionId_fkey" FOREIGN KEY ("externalConnectionId")
        REFERENCES "external_calendar_connections" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE "working_hours" (
    "id" TEXT NOT NULL,
    "dayOfWeek" INTEGER NOT NULL,
    "startTime" TEXT NOT NULL,
    "endTime" TEXT NOT NULL,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "branchId" TEXT NOT NULL,
    "userId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "working_hours_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "working_hours_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "working_hours_branchId_fkey" FOREIGN KEY ("branchId")
        REFERENCES "branches" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "notification_logs" (
    "id" TEXT NOT NULL,
    "type" TEXT NOT NULL
        CHECK ("type" IN ('EMAIL', 'SMS', 'WHATSAPP', 'APPOINTMENT_REMINDER', 'APPOINTMENT_CONFIRMATION',
            'APPOINTMENT_CANCELLATION', 'APPOINTMENT_RESCHEDULE', 'PROMOTION', 'PAYMENT_REMINDER')),
    "channel" TEXT NOT NULL
        CHECK ("channel" IN ('WHATSAPP', 'PUSH', 'EMAIL', 'SMS')),
    "recipientId" TEXT NOT NULL,
    "recipientName" TEXT NOT NULL,
    "recipientContact" TEXT NOT NULL,
    "subject" TEXT,
    "message" TEXT NOT NULL,
    "status" TEXT NOT NULL DEFAULT 'PENDING'
        CHECK ("status" IN ('PENDING', 'SENT', 'FAILED', 'DELIVERED', 'READ')),
    "sentAt" DATETIME,
    "deliveredAt" DATETIME,
    "readAt" DATETIME,
    "errorMessage" TEXT,
    "metadata" TEXT,
    "tenantId" TEXT NOT NULL,
    "appointmentId" TEXT,
    "userId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "notification_logs_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "notification_logs_appointmentId_fkey" FOREIGN KEY ("appointmentId")
        REFERENCES "appointments" ("id") ON DELETE SET NULL ON UPDATE CASCADE,
    CONSTRAINT "notification_logs_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "notification_logs_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE SET NULL ON UPDATE CASCADE
);

CREATE TABLE "user_notification_preferences" (
    "id" TEXT NOT NULL,
    "userId" TEXT NOT NULL,
    "enablePushNotifications" BOOLEAN NOT NULL DEFAULT true,
    "enableEmailNotifications" BOOLEAN NOT NULL DEFAULT true,
    "enableSMSNotifications" BOOLEAN NOT NULL DEFAULT false,
    "enableWhatsAppNotifications" BOOLEAN NOT NULL DEFAULT false,
    "notifyAppointmentCreated" BOOLEAN NOT NULL DEFAULT true,
    "notifyAppointmentUpdated" BOOLEAN NOT NULL DEFAULT true,
    "notifyAppointmentCancelled" BOOLEAN NOT NULL DEFAULT true,
    "notifyAppointmentReminder" BOOLEAN NOT NULL DEFAULT true,
    "notifyScheduleChanges" BOOLEAN NOT NULL DEFAULT true,
    "notifySystemAlerts" BOOLEAN NOT NULL DEFAULT true,
    "enableSounds" BOOLEAN NOT NULL DEFAULT true,
    "enableDesktopNotifications" BOOLEAN NOT NULL DEFAULT true,
    "enableToastNotifications" BOOLEAN NOT NULL DEFAULT true,
    "reminderMinutesBefore" TEXT DEFAULT '[1440,60]',
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "user_notification_preferences_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "user_notification_preferences_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "user_notification_preferences_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "push_subscriptions" (
    "id" TEXT NOT NULL,
    "endpoint" TEXT NOT NULL,
    "p256dh" TEXT NOT NULL,
    "auth" TEXT NOT NULL,
    "userAgent" TEXT,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "lastUsedAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "tenantId" TEXT NOT NULL,
    "userId" TEXT,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "push_subscriptions_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "push_subscriptions_userId_fkey" FOREIGN KEY ("userId")
        REFERENCES "users" ("id") ON DELETE CASCADE ON UPDATE CASCADE,
    CONSTRAINT "push_subscriptions_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "notification_settings" (
    "id" TEXT NOT NULL,
    "whatsappEnabled" BOOLEAN NOT NULL DEFAULT false,
    "pushEnabled" BOOLEAN NOT NULL DEFAULT false,
    "emailEnabled" BOOLEAN NOT NULL DEFAULT true,
    "smsEnabled" BOOLEAN NOT NULL DEFAULT false,
    "evolutionApiUrl" TEXT,
    "evolutionApiKey" TEXT,
    "whatsappInstanceName" TEXT,
    "appointmentReminderEnabled" BOOLEAN NOT NULL DEFAULT true,
    "appointmentReminderTimes" TEXT,
    "autoConfirmEnabled" BOOLEAN NOT NULL DEFAULT false,
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "notification_settings_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "notification_settings_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE TABLE "notification_templates" (
    "id" TEXT NOT NULL,
    "name" TEXT NOT NULL,
    "type" TEXT NOT NULL
        CHECK ("type" IN ('EMAIL', 'SMS', 'WHATSAPP', 'APPOINTMENT_REMINDER', 'APPOINTMENT_CONFIRMATION',
            'APPOINTMENT_CANCELLATION', 'APPOINTMENT_RESCHEDULE', 'PROMOTION', 'PAYMENT_REMINDER')),
    "channel" TEXT NOT NULL
        CHECK ("channel" IN ('WHATSAPP', 'PUSH', 'EMAIL', 'SMS')),
    "subject" TEXT,
    "message" TEXT NOT NULL,
    "isActive" BOOLEAN NOT NULL DEFAULT true,
    "isDefault" BOOLEAN NOT NULL DEFAULT false,
    "tenantId" TEXT NOT NULL,
    "createdAt" DATETIME NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "updatedAt" DATETIME NOT NULL,

    CONSTRAINT "notification_templates_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "notification_templates_tenantId_fkey" FOREIGN KEY ("tenantId")
        REFERENCES "tenants" ("id") ON DELETE CASCADE ON UPDATE CASCADE
);

CREATE UNIQUE INDEX "tenants_subdomain_key"
    ON "tenants"("subdomain");
CREATE UNIQUE INDEX "users_email_key"
    ON "users"("email");
CREATE UNIQUE INDEX "clients_phone_tenantId_key"
    ON "clients"("phone", "tenantId");
CREATE UNIQUE INDEX "client_users_email_key"
    ON "client_users"("email");
CREATE UNIQUE INDEX "client_users_clientId_key"
    ON "client_users"("clientId");
CREATE INDEX "notification_logs_tenantId_status_idx"
    ON "notification_logs"("tenantId", "status");
CREATE INDEX "notification_logs_tenantId_createdAt_idx"
    ON "notification_logs"("tenantId", "createdAt");
CREATE INDEX "notification_logs_appointmentId_idx"
    ON "notification_logs"("appointmentId");
CREATE UNIQUE INDEX "user_notification_preferences_userId_key"
    ON "user_notification_preferences"("userId");
CREATE INDEX "user_notification_preferences_tenantId_idx"
    ON "user_notification_preferences"("tenantId");
CREATE UNIQUE INDEX "push_subscriptions_endpoint_key"
    ON "push_subscriptions"("endpoint");
CREATE INDEX "push_subscriptions_tenantId_isActive_idx"
    ON "push_subscriptions"("tenantId", "isActive");
CREATE INDEX "push_subscriptions_userId_idx"
    ON "push_subscriptions"("userId");
CREATE UNIQUE INDEX "notification_settings_tenantId_key"
    ON "notification_settings"("tenantId");
CREATE INDEX "notification_templates_tenantId_type_channel_idx"
    ON "notification_templates"("tenantId", "type", "channel");
CREATE INDEX "notification_logs_userId_createdAt_idx"
    ON "notification_logs"("userId", "createdAt");
CREATE INDEX "notification_logs_userId_readAt_idx"
    ON "notification_logs"("userId", "readAt");
CREATE INDEX "notification_logs_recipientId_createdAt_idx"
    ON "notification_logs"("recipientId", "createdAt");
CREATE INDEX "appointments_startTime_idx"
    ON "appointments"("startTime");
