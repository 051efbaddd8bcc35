-- What happened and has still to be told: the app's routes (realtime.emit) and triggers on its tables write it in the
-- transaction of the change itself, internal/outbox tells it.
--
-- Every function here runs with the rights of the server's role (SECURITY DEFINER) and a fixed search_path, so that the
-- app's role needs no right on our tables, and names no schema of the app's: Prisma's ?schema= may say any.
-- +goose Up

CREATE TABLE realtime.occurrences (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- handed out before the commit: says nothing about order
    seq bigint,                                         -- handed out at the commit: the order of one subject
    kind text NOT NULL,                                 -- of the emit endpoints, such as appointments/created; or canary
    payload jsonb NOT NULL,                             -- the body of the endpoint
    tenant_id text NOT NULL DEFAULT '',
    subject text NOT NULL,                              -- what it is about, such as an appointment's id
    source text NOT NULL CHECK (source IN ('emit', 'trigger', 'canary')),
    xact bigint,                                        -- the transaction that wrote it
    -- pending: to be told. sent: rows and delivery are committed, events are on their way. told: kept for a while, so that
    -- an endpoint called for the same change tells it no second time. dead: cannot be told.
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'told', 'dead')),
    attempts integer NOT NULL DEFAULT 0,                -- how often it was taken
    due_at timestamp(3),                                -- not before; null is at once
    error text,                                         -- of the last attempt
    created_at timestamp(3) NOT NULL
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05);
CREATE INDEX occurrences_subject_idx ON realtime.occurrences (subject, seq, id) WHERE state <> 'dead';
CREATE INDEX occurrences_state_idx ON realtime.occurrences (state, seq, id);

CREATE SEQUENCE realtime.occurrence_order;

-- At the commit (the trigger is deferred) an occurrence gets its place, and the dispatchers are woken. It cannot fail
-- but where a commit could anyway: the row is this transaction's own. (A NOTIFY queue that is full, 8 GB behind a session
-- that listens within an endless transaction, fails every commit that notifies; and as with every NOTIFY, transactions
-- that emit commit one after the other.)
-- +goose StatementBegin
CREATE FUNCTION realtime.occurrence_committing() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE realtime.occurrences SET seq = nextval('realtime.occurrence_order') WHERE id = NEW.id;
    PERFORM pg_notify('realtime_outbox', '');
    RETURN NULL;
END $$;
-- +goose StatementEnd
CREATE CONSTRAINT TRIGGER occurrences_committing AFTER INSERT ON realtime.occurrences
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION realtime.occurrence_committing();

-- A member that has to be a text: an id of at most 200 bytes, or (most > 0) a text of at most that many characters.
-- +goose StatementBegin
CREATE FUNCTION realtime.need_text(kind text, payload jsonb, name text, most integer DEFAULT 0) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v text := payload ->> name;
BEGIN
    IF jsonb_typeof(payload -> name) IS DISTINCT FROM 'string' OR btrim(v) = '' THEN
        RAISE EXCEPTION 'realtime.emit: % needs "%", a text', kind, name USING ERRCODE = '22023';
    END IF;
    IF most = 0 AND octet_length(v) > 200 OR most > 0 AND char_length(v) > most THEN
        RAISE EXCEPTION 'realtime.emit: % has a "%" that is too long', kind, name USING ERRCODE = '22023';
    END IF;
    RETURN v;
END $$;
-- +goose StatementEnd

-- emit writes an occurrence in the caller's transaction and returns its id (as text: JavaScript cannot put a bigint into
-- JSON). kind and payload are those of POST /api/emit/<kind>. What is plainly wrong is an error here, code 22023, in the
-- route that said it; what only the database's rows can tell becomes a dead letter.
-- +goose StatementBegin
CREATE FUNCTION realtime.emit(kind text, payload jsonb) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k text := emit.kind;
    p jsonb := emit.payload;
    about text;
    new_id bigint;
BEGIN
    IF k IS NULL OR p IS NULL OR jsonb_typeof(p) <> 'object' THEN
        RAISE EXCEPTION 'realtime.emit: a kind and a JSON object are needed' USING ERRCODE = '22023';
    END IF;
    IF octet_length(p::text) > 1048576 THEN
        RAISE EXCEPTION 'realtime.emit: the payload of % is over 1 MB', k USING ERRCODE = '22023';
    END IF;
    CASE
    WHEN k IN ('appointments/created', 'appointments/updated', 'appointments/rescheduled', 'appointments/reminder') THEN
        about := realtime.need_text(k, p, 'appointmentId');
    WHEN k = 'appointments/deleted' THEN
        IF jsonb_typeof(p -> 'appointmentData') IS DISTINCT FROM 'object' THEN
            RAISE EXCEPTION 'realtime.emit: % needs "appointmentData", an object', k USING ERRCODE = '22023';
        END IF;
        about := coalesce(p ->> 'appointmentId', p -> 'appointmentData' ->> 'id', p -> 'appointmentData' ->> 'appointmentId');
        about := realtime.need_text(k, jsonb_build_object('appointmentId', about), 'appointmentId');
    WHEN k IN ('schedule/updated', 'schedule/conflict') THEN
        about := realtime.need_text(k, p, 'professionalId');
    WHEN k = 'user' THEN
        about := realtime.need_text(k, p, 'userId');
    WHEN k IN ('calendar/refresh', 'system/alert', 'notification', 'tenant', 'role') THEN
        about := realtime.need_text(k, p, 'tenantId');
    ELSE
        RAISE EXCEPTION 'realtime.emit: there is no kind "%"', k USING ERRCODE = '22023',
            HINT = 'It is a path below /api/emit/, such as appointments/created.';
    END CASE;
    IF k <> 'user' THEN
        PERFORM realtime.need_text(k, p, 'tenantId');
    END IF;
    CASE k
    WHEN 'appointments/updated' THEN
        IF jsonb_typeof(p -> 'changes') NOT IN ('object', 'null') THEN
            RAISE EXCEPTION 'realtime.emit: "changes" of % must be an object', k USING ERRCODE = '22023';
        END IF;
    WHEN 'appointments/rescheduled' THEN
        IF realtime.need_text(k, p, 'oldStartTime', 40) !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$'
            OR realtime.need_text(k, p, 'oldEndTime', 40) !~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$' THEN
            RAISE EXCEPTION 'realtime.emit: the times of % must look like 2026-01-31T15:04:05.000Z', k USING ERRCODE = '22023';
        END IF;
    WHEN 'appointments/reminder' THEN
        IF jsonb_typeof(p -> 'minutesBefore') IS DISTINCT FROM 'number'
            OR (p ->> 'minutesBefore')::numeric NOT BETWEEN 0 AND 43200
            OR (p ->> 'minutesBefore')::numeric % 1 <> 0 THEN
            RAISE EXCEPTION 'realtime.emit: % needs "minutesBefore", a whole number from 0 to 43200', k USING ERRCODE = '22023';
        END IF;
    WHEN 'schedule/conflict' THEN
        IF coalesce(jsonb_typeof(p -> 'conflict'), 'null') = 'null' THEN
            RAISE EXCEPTION 'realtime.emit: % needs "conflict"', k USING ERRCODE = '22023';
        END IF;
    WHEN 'calendar/refresh' THEN
        PERFORM realtime.need_text(k, p, 'reason', 500);
    WHEN 'system/alert' THEN
        PERFORM realtime.need_text(k, p, 'message', 2000);
        IF realtime.need_text(k, p, 'severity', 40) NOT IN ('info', 'warning', 'error') THEN
            RAISE EXCEPTION 'realtime.emit: "severity" of % must be info, warning or error', k USING ERRCODE = '22023';
        END IF;
    WHEN 'notification' THEN
        PERFORM realtime.need_text(k, p, 'type', 128), realtime.need_text(k, p, 'message', 2000);
    WHEN 'tenant', 'user' THEN
        PERFORM realtime.need_text(k, p, 'event', 128);
    WHEN 'role' THEN
        PERFORM realtime.need_text(k, p, 'event', 128), realtime.need_text(k, p, 'role', 40);
    ELSE
        NULL;
    END CASE;
    -- A route says more (who did it) than a trigger: within one transaction the route's word stands.
    DELETE FROM realtime.occurrences o WHERE o.subject = about AND o.state = 'pending' AND o.kind = k
        AND o.source = 'trigger' AND o.xact = txid_current();
    INSERT INTO realtime.occurrences (kind, payload, tenant_id, subject, source, xact, created_at)
        VALUES (k, p, coalesce(p ->> 'tenantId', ''), about, 'emit', txid_current(), clock_timestamp() AT TIME ZONE 'UTC')
        RETURNING id INTO new_id;
    RETURN new_id::text;
END $$;
-- +goose StatementEnd

-- changed writes what a trigger has seen. Within one transaction it says each thing once, and nothing that a route has
-- said there itself.
-- +goose StatementBegin
CREATE FUNCTION realtime.changed(k text, tenant text, about text, p jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    actor text := nullif(current_setting('realtime.actor', true), '');
    told boolean := false;
BEGIN
    IF EXISTS (SELECT 1 FROM realtime.occurrences o WHERE o.subject = about AND o.state = 'pending'
        AND o.xact = txid_current() AND (o.kind = k AND (o.source = 'emit'
                OR k IN ('appointments/rescheduled', 'schedule/updated', 'calendar/refresh'))
            OR o.kind = 'appointments/created' AND k IN ('appointments/updated', 'appointments/rescheduled'))) THEN
        RETURN; -- what is loaded when the creation is told holds the later change, too
    END IF;
    IF k = 'appointments/updated' THEN
        UPDATE realtime.occurrences o
            SET payload = jsonb_set(o.payload, '{changes}', (o.payload -> 'changes') || (p -> 'changes'))
            WHERE o.subject = about AND o.state = 'pending' AND o.xact = txid_current() AND o.kind = k
                AND o.source = 'trigger';
        IF FOUND THEN
            RETURN;
        END IF;
    ELSIF k = 'appointments/deleted' THEN
        WITH gone AS (DELETE FROM realtime.occurrences o WHERE o.subject = about AND o.state = 'pending'
            AND o.xact = txid_current() AND o.source = 'trigger' RETURNING o.kind)
        SELECT coalesce(bool_or(gone.kind = 'appointments/created'), false) INTO told FROM gone;
        IF told THEN
            RETURN; -- made and deleted: nobody has ever seen it
        END IF;
    END IF;
    IF actor IS NOT NULL AND k <> 'calendar/refresh' THEN
        p := p || jsonb_build_object('actorId', actor);
    END IF;
    INSERT INTO realtime.occurrences (kind, payload, tenant_id, subject, source, xact, created_at)
        VALUES (k, p, tenant, about, 'trigger', txid_current(), clock_timestamp() AT TIME ZONE 'UTC');
END $$;
-- +goose StatementEnd

-- appointment_changed tells what happened to an appointment. Whatever goes wrong in it is a warning in the database's log,
-- and the app's own write goes on: a lost event is bad, a lost appointment is worse. For the same reason it waits for no
-- lock longer than two seconds. (A statement_timeout or a cancel that strikes in here ends the app's statement, as
-- PostgreSQL lets nobody catch it.)
-- +goose StatementBegin
CREATE FUNCTION realtime.appointment_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    iso CONSTANT text := 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"';
    -- Columns that say nothing to a person.
    silent CONSTANT text[] := ARRAY['id', 'createdAt', 'updatedAt', 'notificationsSent', 'externalConnectionId',
        'externalEventUrl', 'externalEventUid', 'externalEtag', 'lastModifiedSource', 'icloudSyncEnabled'];
    ids jsonb;
    changes jsonb;
    client text;
    service text;
BEGIN
    IF current_setting('realtime.quiet', true) = 'on' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        IF NEW.status::text <> 'CANCELLED' THEN
            PERFORM realtime.changed('appointments/created', NEW."tenantId", NEW.id,
                jsonb_build_object('appointmentId', NEW.id, 'tenantId', NEW."tenantId"));
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        SELECT coalesce(jsonb_object_agg(n.key, n.value), '{}') INTO changes
            FROM jsonb_each(to_jsonb(NEW) - silent) n WHERE n.value IS DISTINCT FROM to_jsonb(OLD) -> n.key;
        IF changes = '{}' THEN
            RETURN NULL;
        END IF;
        ids := jsonb_build_object('appointmentId', NEW.id, 'tenantId', NEW."tenantId");
        IF NOT (changes ? 'status' AND NEW.status::text = 'CANCELLED') THEN
            IF changes ?| ARRAY['startTime', 'endTime', 'userId'] AND NEW.status::text <> 'CANCELLED' THEN
                PERFORM realtime.changed('appointments/rescheduled', NEW."tenantId", NEW.id, ids || jsonb_build_object(
                    'oldStartTime', to_char(OLD."startTime", iso), 'oldEndTime', to_char(OLD."endTime", iso)));
            ELSE
                PERFORM realtime.changed('appointments/updated', NEW."tenantId", NEW.id,
                    ids || jsonb_build_object('changes', changes));
            END IF;
            RETURN NULL;
        END IF;
    ELSIF OLD.status::text = 'CANCELLED' THEN -- its cancellation was told; only calendars have to know
        PERFORM realtime.changed('calendar/refresh', OLD."tenantId", OLD."tenantId",
            jsonb_build_object('tenantId', OLD."tenantId", 'reason', 'appointment:deleted'));
        RETURN NULL;
    END IF;
    BEGIN
        EXECUTE format('SELECT btrim(concat_ws('' '', c."firstName", c."lastName")) FROM %I.clients c
            WHERE c.id = $1 AND c."tenantId" = $2', TG_TABLE_SCHEMA) INTO client USING OLD."clientId", OLD."tenantId";
        EXECUTE format('SELECT s.name FROM %I.services s WHERE s.id = $1 AND s."tenantId" = $2', TG_TABLE_SCHEMA)
            INTO service USING OLD."serviceId", OLD."tenantId";
    EXCEPTION WHEN OTHERS THEN
        NULL; -- it is told without a name
    END;
    PERFORM realtime.changed('appointments/deleted', OLD."tenantId", OLD.id, jsonb_build_object(
        'appointmentId', OLD.id, 'tenantId', OLD."tenantId", 'appointmentData', jsonb_strip_nulls(jsonb_build_object(
            'id', OLD.id, 'clientName', nullif(client, ''), 'serviceName', service, 'clientId', OLD."clientId",
            'professionalId', OLD."userId", 'userId', OLD."userId", 'serviceId', OLD."serviceId",
            'branchId', OLD."branchId", 'startTime', to_char(OLD."startTime", iso),
            'endTime', to_char(OLD."endTime", iso), 'status', 'CANCELLED'))));
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'realtime: a change of an appointment is not told: % (%)', SQLERRM, SQLSTATE;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- working_hours_changed tells of each professional once in a transaction; hours of a whole branch refresh the calendars.
-- +goose StatementBegin
CREATE FUNCTION realtime.working_hours_changed() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    silent CONSTANT text[] := ARRAY['id', 'createdAt', 'updatedAt'];
    person record;
    tenant text;
BEGIN
    IF current_setting('realtime.quiet', true) = 'on'
        OR TG_OP = 'UPDATE' AND to_jsonb(NEW) - silent = to_jsonb(OLD) - silent THEN
        RETURN NULL;
    END IF;
    FOR person IN SELECT DISTINCT x.id, x.branch FROM (VALUES (NEW."userId", NEW."branchId", TG_OP <> 'DELETE'),
        (OLD."userId", OLD."branchId", TG_OP <> 'INSERT')) AS x (id, branch, there) WHERE x.there
    LOOP
        IF person.id IS NULL THEN
            EXECUTE format('SELECT b."tenantId" FROM %I.branches b WHERE b.id = $1', TG_TABLE_SCHEMA)
                INTO tenant USING person.branch;
            CONTINUE WHEN tenant IS NULL;
            PERFORM realtime.changed('calendar/refresh', tenant, tenant,
                jsonb_build_object('tenantId', tenant, 'reason', 'schedule:updated'));
        ELSE
            EXECUTE format('SELECT u."tenantId" FROM %I.users u WHERE u.id = $1', TG_TABLE_SCHEMA)
                INTO tenant USING person.id;
            CONTINUE WHEN tenant IS NULL;
            PERFORM realtime.changed('schedule/updated', tenant, person.id,
                jsonb_build_object('professionalId', person.id, 'tenantId', tenant));
        END IF;
    END LOOP;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'realtime: a change of working hours is not told: % (%)', SQLERRM, SQLSTATE;
    RETURN NULL;
END $$;
-- +goose StatementEnd

-- Nobody calls these but who was granted it: GRANT USAGE ON SCHEMA realtime, GRANT EXECUTE ON FUNCTION realtime.emit.
REVOKE ALL ON FUNCTION realtime.occurrence_committing(), realtime.need_text(text, jsonb, text, integer),
    realtime.emit(text, jsonb), realtime.changed(text, text, text, jsonb), realtime.appointment_changed(),
    realtime.working_hours_changed() FROM PUBLIC;
