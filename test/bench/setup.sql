-- Schema of the benchmark: the floor's table, and a function that makes the n-th message.
-- The floor is what PostgreSQL itself takes for one row under the same exclusion constraint, committed.

CREATE SCHEMA radbench;

CREATE TABLE radbench.floor (
    site_id    integer   NOT NULL,
    id         bigint    GENERATED ALWAYS AS IDENTITY,
    axis       radscheduler.axis NOT NULL,
    subject_id bigint    NOT NULL,
    lane       smallint  NOT NULL,
    buffered   tstzrange NOT NULL,
    PRIMARY KEY (site_id, id),
    EXCLUDE USING gist (site_id WITH =, axis WITH =, subject_id WITH =, lane WITH =, buffered WITH &&)
);

CREATE SEQUENCE radbench.message_number;
CREATE SEQUENCE radbench.floor_number;

-- The n-th slot: 200 scanners, then the next half hour of a weekday between 7 and 19 o'clock (the hours a new site has), so that no two
-- ever overlap, none breaks a rule, and the index is spread like a real one.
CREATE FUNCTION radbench.slot(n bigint) RETURNS tstzrange
    LANGUAGE plpgsql IMMUTABLE
    AS $$
DECLARE
    c_start CONSTANT timestamptz := '2027-01-04 07:00Z'::timestamptz + n / 200 / 120 * interval '7 days' + n / 200 / 24 % 5 * interval '1 day' + n / 200 % 24 * interval '30 minutes';
BEGIN
    RETURN tstzrange(c_start, c_start + interval '30 minutes');
END
$$;

-- PL/pgSQL, so that making a message costs little beside taking it.
CREATE FUNCTION radbench.message(n bigint) RETURNS bytea
    LANGUAGE plpgsql STABLE
    AS $$
DECLARE
    c_start CONSTANT text := to_char(lower(radbench.slot(n)) AT TIME ZONE 'UTC', 'YYYYMMDDHH24MI');
BEGIN
    RETURN convert_to(format(
        E'MSH|^~\\&|BENCH|MEMORIAL|RADSCHED|RAD|20260101000000||SIU^S12|B%s|P|2.5\r'
        'SCH||%s|||||||30|MIN|^^30^%s^^R||||||||||||||SCHEDULED\r'
        'PID|1||P%s^^^MEMORIAL^MR||BENCH^PERSON||19800101|M|||123 MAIN ST^^BOSTON^MA^02101||617-555-0123\r'
        'RGS|1|A\r'
        'AIS|1|A|MRI001^MRI BRAIN W/O CONTRAST|%s\r'
        'AIG|1|A|BENCHMR%s|EQUIPMENT||||%s\r'
        'AIP|1|A|BENCHT%s^BENCH^TECH|TECHNOLOGIST||%s\r',
        n, n, c_start, n, c_start, n % 200, c_start, n % 200, c_start), 'UTF8');
END
$$;

-- A site as it is run: its zone and country are told, its scanners and technologists are registered, its partitions are made.
UPDATE radscheduler.site SET timezone = 'UTC', phone_region = 'US';
SELECT count(*) FROM generate_series(0, 199) n, radscheduler.add_resource('BENCHMR' || n, 'Scanner ' || n, 'equipment', 'MR') s,
                     radscheduler.add_resource('BENCHT' || n, 'Technologist ' || n, 'staff', role => 'TECHNOLOGIST') t;
SELECT radscheduler.maintain();

-- Some thousands of messages and fresh statistics, as autovacuum makes them within a minute or two: plans of empty tables tell nothing.
SELECT sum((SELECT count(*) FROM radscheduler.ingest_batch(ARRAY(SELECT radbench.message(nextval('radbench.message_number')) FROM generate_series(1, 200 + 0 * g))))) FROM generate_series(1, 15) g;
ANALYZE;
