-- What messages in any order need: when an appointment laid claim to its time, where it belongs, which of its parts are still in force.

ALTER TABLE radscheduler.appointment
    ADD COLUMN booked_at        timestamptz,
    ADD COLUMN moved_at         timestamptz,
    ADD COLUMN visit_group      text,
    ADD COLUMN parent_filler_id text,
    ADD COLUMN parent_placer_id text,
    ADD COLUMN holds_time       boolean NOT NULL DEFAULT false,
    ADD COLUMN ending           jsonb;
COMMENT ON COLUMN radscheduler.appointment.booked_at IS 'Earliest MSH-7 of any message about it, late ones included (or when it was booked here): with moved_at, its place in the queue for a time that others want too.';
COMMENT ON COLUMN radscheduler.appointment.moved_at IS 'Latest MSH-7 of a message that told another time than it has now, or closed it: its claim to the present time is younger than that. NULL when it was never anything else.';
COMMENT ON COLUMN radscheduler.appointment.visit_group IS 'SCH-4: appointments of one visit.';
COMMENT ON COLUMN radscheduler.appointment.parent_filler_id IS 'SCH-24: the series it belongs to, in the filler''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.parent_placer_id IS 'SCH-23: the series it belongs to, in the placer''s numbering.';
COMMENT ON COLUMN radscheduler.appointment.ending IS 'How it came to its end, so that late messages find their place: what was told before it was closed, then every closing since; see ended(). NULL while no message has closed it.';
COMMENT ON COLUMN radscheduler.appointment.holds_time IS 'True when a PENDING appointment of this sender takes its time (profile key pending_occupies).';

-- A completion, too, can overtake its booking.
ALTER TABLE radscheduler.appointment
    DROP CONSTRAINT appointment_check2,
    ADD CONSTRAINT appointment_open_is_whole CHECK (radscheduler.is_closed(status) OR status IN ('PENDING', 'WAITLISTED') OR starts_at IS NOT NULL AND patient_id IS NOT NULL);

ALTER TABLE radscheduler.appointment_service
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_service.set_id IS 'AIS-1.';
COMMENT ON COLUMN radscheduler.appointment_service.status IS 'CANCELLED, DISCONTINUED, NO_SHOW or DELETED when this exam alone was taken out (S20 to S22, or its own AIS-10); NULL while it is in force.';

ALTER TABLE radscheduler.appointment_resource
    ADD COLUMN set_id text,
    ADD COLUMN status radscheduler.appointment_status CHECK (radscheduler.is_closed(status));
COMMENT ON COLUMN radscheduler.appointment_resource.set_id IS 'AIG-1, AIL-1 or AIP-1.';
COMMENT ON COLUMN radscheduler.appointment_resource.status IS 'CANCELLED, DISCONTINUED, NO_SHOW or DELETED when this resource alone was taken out (S20 to S22, or its own status field); NULL while it is in force.';

ALTER TABLE radscheduler.patient ADD COLUMN message_time timestamptz;
COMMENT ON COLUMN radscheduler.patient.message_time IS 'MSH-7 of the last message that changed the row (or when it was changed here): an older one does not overwrite it.';
