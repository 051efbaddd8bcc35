package contract

// EventType describes one event for what is made of this package: the TypeScript types and the AsyncAPI document.
type EventType struct {
	Name    string
	Summary string
	// Payloads holds a zero value of each form that the payload has. nil among them is JSON's null, or nothing at all.
	Payloads []any
	Ack      any // what an acknowledgement callback gets; nil for events of the server
}

// ServerEventTypes lists every event that the server itself sends, contract/events.md. Callers of the raw emit endpoints
// may send others.
func ServerEventTypes() []EventType {
	one := func(name string, payload any, summary string) EventType {
		return EventType{Name: name, Payloads: []any{payload}, Summary: summary}
	}
	return []EventType{
		one(EventConnectionSuccess, ConnectionSuccess{}, "To the socket itself, once it is signed in."),
		one(EventNotificationNew, Notification{}, "To the user: a notification that is stored under its id. It may come twice after a crash; the id is the same. replayed is true where it was missed: the user comes back."),
		one(EventNotificationReadSuccess, NotificationRead{}, "To the user, on every device: a notification is read."),
		one(EventNotificationReadError, NotificationReadError{}, "To the sender: a notification could not be marked as read."),
		one(EventNotificationReadAllSuccess, NotificationReadAll{}, "To the user, on every device: all notifications are read."),
		one(EventNotificationReadAllError, NotificationReadAllError{}, "To the sender: the notifications could not be marked as read."),
		one(EventNotificationDeleted, NotificationRead{}, "To the user, on every device: a notification is deleted."),
		one(EventAppointmentCreated, AppointmentCreated{}, "To the tenant: an appointment was made."),
		one(EventAppointmentUpdated, AppointmentUpdated{}, "To the tenant: an appointment was changed."),
		one(EventAppointmentDeleted, AppointmentDeleted{}, "To the tenant: an appointment was cancelled."),
		one(EventAppointmentRescheduled, AppointmentRescheduled{}, "To the tenant: an appointment was moved."),
		one(EventAppointmentReminder, AppointmentReminder{}, "To the professional, and to the client's portal user where there is one: an appointment is near."),
		one(EventScheduleUpdated, ScheduleUpdated{}, "To the tenant: a professional's working hours changed."),
		one(EventScheduleConflict, ScheduleConflict{}, "To the roles ADMIN and MANAGER of the tenant: hours or appointments collide."),
		one(EventCalendarRefresh, CalendarRefresh{}, "To the tenant, or (reason reconnected) to a user who comes back: calendars should load anew."),
		one(EventSystemAlert, SystemAlert{}, "To the tenant, or to one role of it: a message from the system."),
		one(EventUserOnline, UserOnline{}, "To the others of the tenant: the user's first socket has come."),
		one(EventUserOffline, UserOffline{}, "To the tenant: the user's last socket has been gone for a short while."),
		one(EventUserPresence, UserPresence{}, "To the others of the tenant: the user said that he or she is here or away."),
		one(EventUserViewingCalendar, UserViewingCalendar{}, "To the others of the tenant: what the user looks at."),
		one(EventEditingStarted, Editing{}, "To the others of the tenant: the user edits an appointment."),
		one(EventEditingStopped, Editing{}, "To the others of the tenant: the user edits an appointment no longer, or has gone."),
		one(EventEditingConflict, EditingConflict{}, "To the sender of appointment:editing: somebody else edits that appointment already."),
		one(EventPresenceState, PresenceState{}, "To the socket itself, after connection:success: who is here already."),
		one(EventAuthExpiring, AuthExpiring{}, "To the socket itself, a minute before its session ends: reconnecting with a fresh session is seamless."),
	}
}

// ClientEventTypes lists every event that a client may send, contract/events.md.
func ClientEventTypes() []EventType {
	return []EventType{
		{EventNotificationRead, "Mark one of the user's own notifications as read: its id, bare or in an object.", []any{"", NotificationRead{}}, NotificationReadAck{}},
		{EventNotificationReadAll, "Mark all of the user's notifications as read.", []any{nil}, NotificationReadAllAck{}},
		{EventCalendarViewing, "Tell the others of the tenant what the user looks at.", []any{CalendarViewing{}}, Ack{}},
		{EventAppointmentEditing, "Tell the others of the tenant that the user edits an appointment: its id, bare or in an object.", []any{"", AppointmentEditing{}}, Ack{}},
		{EventAppointmentEditingStop, "Tell them that the user has stopped. A socket that goes away has stopped, too.", []any{"", AppointmentEditing{}}, Ack{}},
		{EventPresenceUpdate, "Tell them that the user is here or away: the status, bare or in an object.", []any{StatusOnline, PresenceUpdate{}}, Ack{}},
	}
}

// ServerEvents lists every event name that the server itself sends.
func ServerEvents() []string { return names(ServerEventTypes()) }

// ClientEvents lists every event name that the server takes.
func ClientEvents() []string { return names(ClientEventTypes()) }

func names(types []EventType) []string {
	out := make([]string, len(types))
	for i, t := range types {
		out[i] = t.Name
	}
	return out
}

// EmitKind describes one emit endpoint, contract/http.md.
type EmitKind struct {
	Name    string      // the path below /api/emit/, and the kind of an entry in a batch
	Event   string      // the name of the event, which a batch takes as the kind as well; "" for the raw helpers
	Request EmitRequest // a zero value of the body
	Summary string
}

// EmitKinds lists every emit endpoint but the batch.
func EmitKinds() []EmitKind {
	return []EmitKind{
		{KindAppointmentCreated, EventAppointmentCreated, AppointmentCreatedRequest{}, "An appointment was made."},
		{KindAppointmentUpdated, EventAppointmentUpdated, AppointmentUpdatedRequest{}, "An appointment was changed."},
		{KindAppointmentDeleted, EventAppointmentDeleted, AppointmentDeletedRequest{}, "An appointment was cancelled, and its row is gone."},
		{KindAppointmentRescheduled, EventAppointmentRescheduled, AppointmentRescheduledRequest{}, "An appointment was moved."},
		{KindAppointmentReminder, EventAppointmentReminder, AppointmentReminderRequest{}, "Remind the professional and the portal user of an appointment."},
		{KindScheduleUpdated, EventScheduleUpdated, ScheduleUpdatedRequest{}, "A professional's working hours changed."},
		{KindScheduleConflict, EventScheduleConflict, ScheduleConflictRequest{}, "A professional's hours or appointments collide."},
		{KindCalendarRefresh, EventCalendarRefresh, CalendarRefreshRequest{}, "Ask every calendar of the tenant to load anew."},
		{KindSystemAlert, EventSystemAlert, SystemAlertRequest{}, "Alert every user of the tenant, or of one role of it."},
		{KindNotification, EventNotificationNew, NotificationRequest{}, "Notify one user, or every user of the tenant."},
		{KindTenant, "", EmitToTenantRequest{}, "Send any event to a tenant's sockets; nothing is stored."},
		{KindUser, "", EmitToUserRequest{}, "Send any event to a user's sockets; nothing is stored."},
		{KindRole, "", EmitToRoleRequest{}, "Send any event to the sockets of a role of a tenant; nothing is stored."},
	}
}

// Labels lists the values of every type that has a closed list of them, by the type's name.
func Labels() map[string][]string {
	return map[string][]string{
		"Priority":       labels(PriorityLow, PriorityMedium, PriorityHigh, PriorityUrgent),
		"Severity":       labels(SeverityInfo, SeverityWarning, SeverityError),
		"PresenceStatus": labels(StatusOnline, StatusAway),
		"Role":           labels(RoleSuperadmin, RoleAdmin, RoleManager, RoleProfessional, RoleReceptionist, RoleClient),
		"Code": labels(CodeInvalid, CodeUnauthorized, CodeInvalidToken, CodeTokenExpired, CodeUserInactive, CodeAuthDown,
			CodeUnavailable, CodeForbidden, CodeNotFound, CodeConflict, CodeKeyReused, CodeTooLarge, CodeRateLimited,
			CodeMethodNotAllowed, CodeContentType, CodeInternal),
	}
}

func labels[T ~string](values ...T) []string {
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = string(v)
	}
	return out
}
