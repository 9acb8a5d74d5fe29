-- Telling listeners that event_log has grown.

CREATE FUNCTION radscheduler.event_log_wake() RETURNS trigger
    AS 'MODULE_PATHNAME', 'rad_event_log_wake' LANGUAGE c VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION radscheduler.event_log_wake() IS
    'Wakes listeners on channel radscheduler_wake after the transaction commits, in the way radscheduler.notify says.';
