-- Links of a configuration document: merged by name. What a document does not say of a link that is there stays; a new one gets what the table gives.

CREATE FUNCTION radscheduler.configuration_put_links(p_site integer, p_links jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    v_item    jsonb;
    v_columns text;
    v_sets    text;
BEGIN
    FOR v_item IN SELECT e FROM jsonb_array_elements(p_links) e LOOP
        -- The keys were checked against configuration_fields(): each is a column.
        SELECT string_agg(quote_ident(k), ', ' ORDER BY k), string_agg(format('%1$I = excluded.%1$I', k), ', ' ORDER BY k) FILTER (WHERE k <> 'name')
            INTO v_columns, v_sets FROM jsonb_object_keys(v_item) k;
        EXECUTE format('INSERT INTO radscheduler.link AS l (site_id, %1$s) SELECT $1, %1$s FROM jsonb_populate_record(NULL::radscheduler.link, $2) ON CONFLICT (site_id, name) DO %2$s',
                       v_columns, coalesce('UPDATE SET ' || v_sets || ' WHERE to_jsonb(l) IS DISTINCT FROM to_jsonb(l) || ($2 - ''name'')', 'NOTHING')) USING p_site, v_item;
    END LOOP;
END
$$;
COMMENT ON FUNCTION radscheduler.configuration_put_links(integer, jsonb) IS 'Makes and changes the links of a site as a document has them. One that the document does not name stays: its queue goes with it.';
