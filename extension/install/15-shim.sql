CREATE FUNCTION radscheduler.siu_read(p_bytes bytea, p_profile jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN RETURN radscheduler.siu_read(p_bytes, coalesce(p_profile ->> 'repair', 'lenient') <> 'strict', coalesce(p_profile ->> 'start_source', 'appointment'), coalesce(p_profile ->> 'charset', '')); END $$;
COMMENT ON FUNCTION radscheduler.siu_read(bytea, jsonb) IS 'x';
