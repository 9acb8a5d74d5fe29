-- Who did or saw what, append-only and sealed; and the triggers that tell it of changes nobody else tells.

CREATE SEQUENCE radscheduler.audit_event_id_seq;
COMMENT ON SEQUENCE radscheduler.audit_event_id_seq IS 'Numbers audit events.';

CREATE TABLE radscheduler.audit_event (
    site_id     integer     NOT NULL,
    xid         xid8        NOT NULL DEFAULT pg_catalog.pg_current_xact_id(),
    audit_id    bigint      NOT NULL DEFAULT pg_catalog.nextval('radscheduler.audit_event_id_seq'),
    recorded_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    role_name   text        NOT NULL,
    login_name  text        NOT NULL,
    actor       text,
    purpose     text,
    trace_id    text,
    action      text        NOT NULL,
    object      text        NOT NULL,
    object_id   bigint,
    detail      jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (site_id, xid, audit_id, recorded_at)
) PARTITION BY RANGE (recorded_at);
ALTER SEQUENCE radscheduler.audit_event_id_seq OWNED BY radscheduler.audit_event.audit_id;
CREATE INDEX audit_event_object ON radscheduler.audit_event (site_id, object, object_id);
CREATE TABLE radscheduler.audit_event_default PARTITION OF radscheduler.audit_event DEFAULT;
COMMENT ON TABLE  radscheduler.audit_event IS 'Who did or saw what, when and why. Append-only, sealed in batches (audit_seal), no patient data: ids, column names, counts. Partitioned by month.';
COMMENT ON TABLE  radscheduler.audit_event_default IS 'Events outside the months that maintain() has made ahead.';
COMMENT ON COLUMN radscheduler.audit_event.site_id IS 'Site; 0 for what concerns the database itself.';
COMMENT ON COLUMN radscheduler.audit_event.xid IS 'Writing transaction; evaluated before audit_id, so that no number is taken before the transaction has its own.';
COMMENT ON COLUMN radscheduler.audit_event.audit_id IS 'Identity within the database. Gaps mean nothing: a transaction that failed leaves one.';
COMMENT ON COLUMN radscheduler.audit_event.recorded_at IS 'When; the partition key.';
COMMENT ON COLUMN radscheduler.audit_event.role_name IS 'Role in effect (SET ROLE or login).';
COMMENT ON COLUMN radscheduler.audit_event.login_name IS 'Role that logged in.';
COMMENT ON COLUMN radscheduler.audit_event.actor IS 'On whose behalf, as the session says: radscheduler.actor.';
COMMENT ON COLUMN radscheduler.audit_event.purpose IS 'What for, as the session says: radscheduler.purpose.';
COMMENT ON COLUMN radscheduler.audit_event.trace_id IS 'Trace of the request, as the session says: radscheduler.trace_id.';
COMMENT ON COLUMN radscheduler.audit_event.action IS 'For example ingest, read, appointment.created, insert, grant, purge.';
COMMENT ON COLUMN radscheduler.audit_event.object IS 'Kind of object: a table, role, site.';
COMMENT ON COLUMN radscheduler.audit_event.object_id IS 'Its id, when it has one.';
COMMENT ON COLUMN radscheduler.audit_event.detail IS 'More, without patient data.';

CREATE TABLE radscheduler.audit_era (
    era        integer     PRIMARY KEY,
    cluster_id text        NOT NULL,
    barrier    bigint      NOT NULL,
    horizon    xid8        NOT NULL,
    begun_at   timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE  radscheduler.audit_era IS 'The clusters this log has lived in: transaction ids order events within one era only.';
COMMENT ON COLUMN radscheduler.audit_era.era IS 'Number, ascending.';
COMMENT ON COLUMN radscheduler.audit_era.cluster_id IS 'System identifier of the cluster (pg_control_system).';
COMMENT ON COLUMN radscheduler.audit_era.barrier IS 'Last audit_id of the era before.';
COMMENT ON COLUMN radscheduler.audit_era.horizon IS 'Oldest transaction that was running when it began.';
COMMENT ON COLUMN radscheduler.audit_era.begun_at IS 'When the first batch was sealed there.';
INSERT INTO radscheduler.audit_era (era, cluster_id, barrier, horizon) SELECT 1, c.system_identifier::text, 0, '0'::xid8 FROM pg_catalog.pg_control_system() c;

CREATE TABLE radscheduler.audit_seal (
    site_id         integer     NOT NULL,
    seal_no         bigint      NOT NULL,
    month           date        NOT NULL,
    era             integer     NOT NULL,
    horizon         xid8        NOT NULL,
    next_xid        xid8        NOT NULL,
    event_ids       bigint[]    NOT NULL,
    event_digests   bytea       NOT NULL,
    previous_digest bytea,
    digest          bytea       NOT NULL,
    sealed_at       timestamptz NOT NULL,
    PRIMARY KEY (site_id, seal_no)
);
ALTER TABLE radscheduler.audit_seal ALTER COLUMN event_digests SET STORAGE EXTERNAL;
COMMENT ON TABLE  radscheduler.audit_seal IS 'The seals of the audit log: one chain for each site. audit_verify() compares the log with them.';
COMMENT ON COLUMN radscheduler.audit_seal.site_id IS 'Site; 0 for the database itself.';
COMMENT ON COLUMN radscheduler.audit_seal.seal_no IS 'Place in the chain of the site, from 1 without gap.';
COMMENT ON COLUMN radscheduler.audit_seal.month IS 'Month (UTC) of its events.';
COMMENT ON COLUMN radscheduler.audit_seal.era IS 'Era it was made in, see audit_era.';
COMMENT ON COLUMN radscheduler.audit_seal.horizon IS 'Oldest transaction that was running: every event of an older one is in this seal or one before.';
COMMENT ON COLUMN radscheduler.audit_seal.next_xid IS 'The sealing transaction: events of later ones come after this seal, in number and time. 2^62 where it had begun to write before.';
COMMENT ON COLUMN radscheduler.audit_seal.event_ids IS 'audit_id of each event, ascending.';
COMMENT ON COLUMN radscheduler.audit_seal.event_digests IS 'SHA-256 of each event, 32 bytes each, in the same order.';
COMMENT ON COLUMN radscheduler.audit_seal.previous_digest IS 'digest of the seal before.';
COMMENT ON COLUMN radscheduler.audit_seal.digest IS 'SHA-256 over all of this.';
COMMENT ON COLUMN radscheduler.audit_seal.sealed_at IS 'When.';

SELECT radscheduler.make_append_only('radscheduler.audit_event', true);
SELECT radscheduler.make_append_only('radscheduler.audit_event_default', false);
SELECT radscheduler.make_append_only('radscheduler.audit_era', true);
SELECT radscheduler.make_append_only('radscheduler.audit_seal', true);

SELECT radscheduler.audit_table('site', 'site_id', 'values');
SELECT radscheduler.audit_table('sender', 'sender_id', 'values');
SELECT radscheduler.audit_table('modality', 'code', 'values');
SELECT radscheduler.audit_table('modality_alias', 'alias', 'values');
SELECT radscheduler.audit_table('procedure', 'code', 'values');
SELECT radscheduler.audit_table('resource', 'resource_id', 'values');
SELECT radscheduler.audit_table('resource_alias', 'resource_id,kind,alias', 'values');
SELECT radscheduler.audit_table('resource_hours', 'hours_id', 'values');
SELECT radscheduler.audit_table('resource_block', 'block_id,resource_id', 'names');
SELECT radscheduler.audit_table('patient', 'patient_id', 'names');
SELECT radscheduler.audit_table('patient_identifier', 'patient_id', 'names');
SELECT radscheduler.audit_table('appointment', 'appointment_id', 'names');
SELECT radscheduler.audit_table('appointment_service', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_resource', 'appointment_id,position', 'names');
SELECT radscheduler.audit_table('appointment_history', 'appointment_id,version', 'names');
SELECT radscheduler.audit_table('occupancy', 'occupancy_id,appointment_id', 'names');
SELECT radscheduler.audit_table('conflict', 'conflict_id', 'names');
SELECT radscheduler.audit_table('hl7_message', 'message_id', 'names');
SELECT radscheduler.audit_table('message_key', 'message_id', 'names');
SELECT radscheduler.audit_table('event_log', 'seq', 'names');
SELECT radscheduler.audit_table('legal_hold', 'hold_id', 'names');
SELECT radscheduler.audit_table('retention', 'record', 'values');
SELECT radscheduler.audit_table('role_grant', 'role_name,kind', 'values');
SELECT radscheduler.audit_table('site_grant', 'role_name', 'values');
