INSERT INTO radscheduler.event_log (site_id, type, data) VALUES (1, 'bench.event', jsonb_build_object('at', extract(epoch FROM clock_timestamp())));
