-- What a batch locks before it writes anything, so that several messages in one transaction keep the order of 42-locks.sql: senders that are not
-- known, then names (lock_keys()), then here the right to record resources, site by site, then subjects. What a transaction records itself is
-- known to nobody else, so nobody can be waiting for it: new resources and patients need no place in the order.

CREATE FUNCTION radscheduler.lock_new_senders(p_messages bytea[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_message bytea;
    v_header  jsonb;
    v_pair    text[];
    v_last    text[];
    v_pairs   text[] := '{}';
    v_key     integer;
BEGIN
    FOREACH v_message IN ARRAY p_messages LOOP
        v_header := radscheduler.hl7_header(v_message) -> 'header';
        v_pair := ARRAY[coalesce(v_header ->> 'sending_application', ''), coalesce(v_header ->> 'sending_facility', '')];
        IF v_pair IS DISTINCT FROM v_last THEN
            v_pairs := v_pairs || array_to_string(v_pair, '|');
            v_last := v_pair;
        END IF;
    END LOOP;
    -- One sender waits for nobody while it holds anything.
    IF cardinality(v_pairs) > 1 THEN
        FOR v_key IN SELECT DISTINCT radscheduler.lock_key('sender/' || p, radscheduler.lock_secret()) FROM unnest(v_pairs) p
                     WHERE NOT EXISTS (SELECT FROM radscheduler.sender s WHERE s.sending_application || '|' || s.sending_facility = p) ORDER BY 1
        LOOP
            PERFORM pg_advisory_xact_lock(7421006, v_key);
        END LOOP;
    END IF;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_new_senders(bytea[]) IS
    'Before phase one, for a batch of several senders: transaction locks on those that are not known, in ascending order of their keys, under which they are recorded.';

CREATE FUNCTION radscheduler.lock_ahead(p_items radscheduler.ingest_item[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item      radscheduler.ingest_item;
    v_sites     integer[] := ARRAY(SELECT DISTINCT i.site_id FROM unnest(p_items) i WHERE i.outcome IS NULL ORDER BY 1);
    v_resources bigint[];
    v_patients  bigint[];
    v_other     record;
    v_pools     text[];
    v_known     bigint[];
    v_placeless boolean[] := radscheduler.name_no_place(p_items);
BEGIN
    FOR s IN 1 .. cardinality(v_sites) LOOP
        FOREACH v_item IN ARRAY p_items LOOP
            IF v_item.site_id = v_sites[s] AND v_item.outcome IS NULL AND v_item.action IN ('schedule', 'block')
               AND (radscheduler.find_resources(v_item.site_id, v_item.reading -> 'resources')).missing THEN
                PERFORM radscheduler.lock_new_resources(v_sites[s]);
                EXIT;
            END IF;
        END LOOP;
    END LOOP;
    FOR s IN 1 .. cardinality(v_sites) LOOP
        v_resources := NULL;
        v_patients := NULL;
        v_pools := NULL;
        v_known := NULL;
        FOR k IN 1 .. cardinality(p_items) LOOP
            v_item := p_items[k];
            CONTINUE WHEN v_item.outcome IS NOT NULL OR v_item.site_id <> v_sites[s];
            IF v_placeless[k] AND v_item.action IN ('schedule', 'request') THEN
                v_pools := v_pools || radscheduler.modality_of(v_sites[s], v_item.reading, NULL);
            END IF;
            v_known := v_known || ARRAY(SELECT a.appointment_id FROM radscheduler.appointment a
                WHERE a.site_id = v_item.site_id AND a.sender_id = v_item.sender_id AND (a.filler_id = v_item.filler_id OR a.placer_id = v_item.placer_id));
            IF v_item.action = 'request' THEN
                v_known := v_known || radscheduler.requested_appointment(v_item);
            END IF;
            v_resources := v_resources || (radscheduler.find_resources(v_item.site_id, v_item.reading -> 'resources')).resource_ids;
            v_patients := v_patients || (radscheduler.find_patient(v_item.site_id, v_item.reading #> '{patient,identifiers}', v_item.context ->> 'facility')).patient_id;
        END LOOP;
        v_other := radscheduler.other_subjects(p_items, v_sites[s]);
        PERFORM radscheduler.lock_subjects(v_sites[s],
            v_resources || v_other.resources || radscheduler.pool_scanners(v_sites[s], v_pools, v_known)
                || ARRAY(SELECT r.resource_id FROM radscheduler.appointment_resource r WHERE r.site_id = v_sites[s] AND r.appointment_id = ANY (v_known)),
            v_patients || v_other.patients || ARRAY(SELECT a.patient_id FROM radscheduler.appointment a WHERE a.site_id = v_sites[s] AND a.appointment_id = ANY (v_known)));
    END LOOP;
    FOR s IN 1 .. cardinality(v_sites) LOOP
        PERFORM radscheduler.lock_settling(v_sites[s], true);
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.lock_ahead(radscheduler.ingest_item[]) IS
    'For messages that are applied in several waves, after their names are locked: the right to record resources at sites where one is unknown, then every resource and patient of all of them, and the settling of conflicts, before the first row is written. Two batches cannot wait for each other.';

CREATE FUNCTION radscheduler.lock_batch(p_messages bytea[], p_channel text, p_peer text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_items radscheduler.ingest_item[] := '{}';
    v_names text[];
BEGIN
    PERFORM radscheduler.lock_new_senders(p_messages);
    -- Opened only to see what they name: a sender that is recorded on the way is recorded again, and told, by the message itself.
    BEGIN
        FOR k IN 1 .. cardinality(p_messages) LOOP
            BEGIN
                v_items := v_items || radscheduler.open_message(p_messages[k], p_channel, p_peer);
                IF v_items[cardinality(v_items)].outcome IS NULL THEN
                    v_names := v_names || radscheduler.lock_names(v_items[cardinality(v_items)]);
                END IF;
            EXCEPTION WHEN OTHERS THEN
                IF radscheduler.is_passing(SQLSTATE) THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
        RAISE EXCEPTION 'seen enough' USING ERRCODE = 'RS005';
    EXCEPTION WHEN SQLSTATE 'RS005' THEN
        NULL;
    END;
    PERFORM radscheduler.lock_keys(v_names);
    PERFORM radscheduler.lock_ahead(v_items);
END
$$;
COMMENT ON FUNCTION radscheduler.lock_batch(bytea[], text, text) IS
    'Takes the locks of all messages of a batch that go one by one after all, each with its own safety net. One that cannot be opened names nothing and will be answered so.';
