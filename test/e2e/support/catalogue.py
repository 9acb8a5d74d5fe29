"""What a database consists of, written down so that two databases can be compared: every object of the extension and of its records
with all its properties, the rows of its code tables, and fingerprints of the records.

Names stand for OIDs, and what PostgreSQL keeps in no order (rights, options) is sorted. What tests add to the records of a site is
named my_…, in the schema my_schema where it has a schema of its own.
"""

_MEMBERS = """
WITH member AS (
    SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
    WHERE d.deptype = 'e' AND e.extname = 'radscheduler'
), space AS (
    SELECT n.oid, n.nspname FROM pg_namespace n WHERE n.nspname IN ('radscheduler', 'my_schema')
), relation AS (
    SELECT c.*, EXISTS (SELECT FROM member m WHERE m.classid = 'pg_class'::regclass AND m.objid = c.oid) AS is_member
    FROM pg_class c JOIN space s ON s.oid = c.relnamespace
)
"""


def _rights(column, kind, owner):
    """SQL for rights in a fixed order. None at all and the default written out are the same rights: pg_dump may turn one into the other."""
    return f"array(SELECT x::text FROM unnest(coalesce({column}, acldefault('{kind}', {owner}))) x ORDER BY 1)"


def _sorted(column):
    return f"array(SELECT x FROM unnest({column}) x ORDER BY 1)"


# One query for each kind of object: its name, then its properties.
_QUERIES = {
    "member": "SELECT pg_describe_object(m.classid, m.objid, 0) AS name FROM member m",
    "extension": "SELECT extname AS name, extversion, extrelocatable, extconfig, extcondition FROM pg_extension",
    "schema": f"""SELECT n.nspname AS name, pg_get_userbyid(n.nspowner) AS owner, {_rights('n.nspacl', 'n', 'n.nspowner')} AS rights,
        obj_description(n.oid) AS comment
        FROM pg_namespace n JOIN space s USING (oid)""",
    "default rights": """SELECT concat_ws(' ', pg_get_userbyid(a.defaclrole), s.nspname, a.defaclobjtype) AS name, a.defaclacl::text
        FROM pg_default_acl a LEFT JOIN space s ON s.oid = a.defaclnamespace""",
    "event trigger": """SELECT evtname AS name, evtevent, evtfoid::regprocedure::text, evtenabled, evttags, pg_get_userbyid(evtowner) AS owner,
        obj_description(oid, 'pg_event_trigger') AS comment FROM pg_event_trigger""",
    "relation": f"""SELECT r.oid::regclass::text AS name, r.relkind, r.is_member, r.relpersistence, r.relreplident, r.relrowsecurity,
        r.relforcerowsecurity,
        {_sorted('r.reloptions')} AS options, {_sorted('(SELECT t.reloptions FROM pg_class t WHERE t.oid = r.reltoastrelid)')} AS toast_options,
        (SELECT amname FROM pg_am WHERE pg_am.oid = r.relam) AS access_method, r.reltablespace, pg_get_userbyid(r.relowner) AS owner,
        {_rights('r.relacl', 'r', 'r.relowner')} AS rights, obj_description(r.oid, 'pg_class') AS comment, pg_get_partkeydef(r.oid) AS partition_key,
        pg_get_expr(r.relpartbound, r.oid) AS bound, array(SELECT i.inhparent::regclass::text FROM pg_inherits i WHERE i.inhrelid = r.oid) AS parents,
        CASE WHEN r.relkind IN ('v', 'm') THEN pg_get_viewdef(r.oid) END AS definition
        FROM relation r WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    "sequence": f"""SELECT r.oid::regclass::text AS name, r.is_member, to_jsonb(s) - 'seqrelid' AS properties, pg_get_userbyid(r.relowner) AS owner,
        {_rights('r.relacl', 's', 'r.relowner')} AS rights, obj_description(r.oid, 'pg_class') AS comment,
        array(SELECT pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid) FROM pg_depend d
              WHERE d.classid = 'pg_class'::regclass AND d.objid = r.oid AND d.deptype IN ('a', 'i')) AS owned_by
        FROM relation r JOIN pg_sequence s ON s.seqrelid = r.oid""",
    # Columns are counted, not taken by attnum: a dropped column leaves a number behind that no dump brings back, and a column of the
    # site's own stands before those that a later version adds. The option pg_attver is a stamp that newer minor versions of PostgreSQL
    # put on every column themselves.
    "column": f"""SELECT r.oid::regclass || '.' || a.attname AS name,
        CASE WHEN a.attname NOT LIKE 'my\\_%' THEN row_number() OVER (PARTITION BY r.oid, a.attname LIKE 'my\\_%' ORDER BY a.attnum) END AS position,
        format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull, pg_get_expr(d.adbin, d.adrelid) AS default, a.attidentity, a.attgenerated,
        a.attstorage,
        a.attcompression, coalesce(a.attstattarget, -1) AS statistics_target, a.attcollation::regcollation::text AS collation, a.attislocal,
        a.attinhcount,
        array(SELECT x FROM unnest(a.attoptions) x WHERE x NOT LIKE 'pg\\_attver=%' ORDER BY 1) AS options, {_sorted('a.attacl::text[]')} AS rights,
        col_description(r.oid, a.attnum) AS comment
        FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c')""",
    # Whether a key is inherited says only whether its partition was made as one or attached, as a restore does; it means nothing to a key.
    "constraint": """SELECT concat_ws(' ', coalesce(nullif(k.conrelid, 0)::regclass::text, k.contypid::regtype::text), k.conname) AS name, k.contype,
        pg_get_constraintdef(k.oid) AS definition, k.convalidated, k.conislocal, k.coninhcount, k.contype = 'c' AND k.connoinherit AS no_inherit,
        (SELECT p.conname FROM pg_constraint p WHERE p.oid = k.conparentid) AS parent, obj_description(k.oid, 'pg_constraint') AS comment
        FROM pg_constraint k JOIN space s ON s.oid = k.connamespace WHERE k.contype <> 't'""",
    "index": f"""SELECT r.oid::regclass::text AS name, pg_get_indexdef(r.oid) AS definition, i.indisvalid, i.indisreplident, i.indisclustered,
        r.is_member,
        {_sorted('r.reloptions')} AS options, array(SELECT h.inhparent::regclass::text FROM pg_inherits h WHERE h.inhrelid = r.oid) AS parents,
        array(SELECT a.attstattarget FROM pg_attribute a WHERE a.attrelid = r.oid ORDER BY a.attnum) AS statistics_targets,
        obj_description(r.oid, 'pg_class') AS comment FROM relation r JOIN pg_index i ON i.indexrelid = r.oid""",
    "trigger": """SELECT r.oid::regclass || ' ' || t.tgname AS name, pg_get_triggerdef(t.oid) AS definition, t.tgenabled,
        (SELECT p.tgrelid::regclass::text FROM pg_trigger p WHERE p.oid = t.tgparentid) AS parent, obj_description(t.oid, 'pg_trigger') AS comment
        FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid WHERE NOT t.tgisinternal""",
    # Triggers of foreign keys have names made of OIDs; what must not differ is whether they are on.
    "foreign key trigger": """SELECT concat_ws(' ', r.oid::regclass, k.conrelid::regclass, k.conname, t.tgfoid::regproc) AS name, t.tgenabled
        FROM relation r JOIN pg_trigger t ON t.tgrelid = r.oid JOIN pg_constraint k ON k.oid = t.tgconstraint WHERE t.tgisinternal""",
    "policy": """SELECT r.oid::regclass || ' ' || p.polname AS name, p.polcmd, p.polpermissive,
        array(SELECT x::regrole::text FROM unnest(p.polroles) x ORDER BY 1) AS roles,
        pg_get_expr(p.polqual, p.polrelid) AS qualifier, pg_get_expr(p.polwithcheck, p.polrelid) AS with_check,
        obj_description(p.oid, 'pg_policy') AS comment
        FROM relation r JOIN pg_policy p ON p.polrelid = r.oid""",
    "rule": """SELECT r.oid::regclass || ' ' || w.rulename AS name, pg_get_ruledef(w.oid) AS definition, w.ev_enabled
        FROM relation r JOIN pg_rewrite w ON w.ev_class = r.oid WHERE w.rulename <> '_RETURN'""",
    "statistics": """SELECT x.stxname AS name, pg_get_statisticsobjdef(x.oid) AS definition, coalesce(x.stxstattarget, -1) AS target,
        pg_get_userbyid(x.stxowner) AS owner, obj_description(x.oid, 'pg_statistic_ext') AS comment
        FROM pg_statistic_ext x JOIN space s ON s.oid = x.stxnamespace""",
    "publication": """SELECT p.pubname AS name, to_jsonb(p) - ARRAY['oid', 'pubowner', 'pubname'] AS properties, pg_get_userbyid(p.pubowner) AS owner,
        array(SELECT r.prrelid::regclass || coalesce(' ' || pg_get_expr(r.prqual, r.prrelid), '') FROM pg_publication_rel r WHERE r.prpubid = p.oid ORDER BY 1) AS tables,
        obj_description(p.oid, 'pg_publication') AS comment FROM pg_publication p""",
    "function": f"""SELECT p.oid::regprocedure::text AS name, CASE WHEN p.prokind <> 'a' THEN pg_get_functiondef(p.oid) END AS definition,
        to_jsonb(p) - ARRAY['oid', 'pronamespace', 'proowner', 'proacl',
        'prorettype', 'proargtypes', 'proallargtypes', 'protrftypes', 'provariadic', 'prolang', 'prosupport', 'proargdefaults',
        'prosqlbody'] AS properties,
        pg_get_userbyid(p.proowner) AS owner, {_rights('p.proacl', 'f', 'p.proowner')} AS rights, obj_description(p.oid, 'pg_proc') AS comment,
        EXISTS (SELECT FROM member m WHERE m.classid = 'pg_proc'::regclass AND m.objid = p.oid) AS is_member
        FROM pg_proc p JOIN space s ON s.oid = p.pronamespace""",
    "type": f"""SELECT format_type(t.oid, NULL) AS name, to_jsonb(t) - ARRAY['oid', 'typnamespace', 'typowner', 'typacl', 'typrelid', 'typelem',
        'typarray', 'typbasetype',
        'typcollation', 'typdefaultbin'] AS properties, format_type(nullif(t.typbasetype, 0), t.typtypmod) AS base,
        t.typcollation::regcollation::text AS collation,
        array(SELECT e.enumlabel FROM pg_enum e WHERE e.enumtypid = t.oid ORDER BY e.enumsortorder) AS labels,
        pg_get_userbyid(t.typowner) AS owner, {_rights('t.typacl', 'T', 't.typowner')} AS rights, obj_description(t.oid, 'pg_type') AS comment
        FROM pg_type t JOIN space s ON s.oid = t.typnamespace""",
    "operator": """SELECT o.oid::regoperator::text AS name, o.oprkind, o.oprcanmerge, o.oprcanhash, o.oprresult::regtype::text AS result,
        o.oprcom::regoperator::text AS commutator,
        o.oprnegate::regoperator::text AS negator, o.oprcode::text, o.oprrest::text, o.oprjoin::text, pg_get_userbyid(o.oprowner) AS owner,
        obj_description(o.oid, 'pg_operator') AS comment FROM pg_operator o JOIN space s ON s.oid = o.oprnamespace""",
    "cast": """SELECT format('%s to %s', k.castsource::regtype, k.casttarget::regtype) AS name, k.castfunc::regprocedure::text, k.castcontext,
        k.castmethod,
        obj_description(k.oid, 'pg_cast') AS comment FROM pg_cast k JOIN member m ON m.classid = 'pg_cast'::regclass AND m.objid = k.oid""",
    "operator class": """SELECT a.amname || ' ' || o.opcname AS name, f.opfname, o.opcintype::regtype::text AS type,
        o.opckeytype::regtype::text AS key_type, o.opcdefault,
        pg_get_userbyid(o.opcowner) AS owner, obj_description(o.oid, 'pg_opclass') AS comment,
        array(SELECT concat_ws(' ', x.amopstrategy, x.amopopr::regoperator, x.amoppurpose) FROM pg_amop x WHERE x.amopfamily = f.oid ORDER BY 1) AS operators,
        array(SELECT concat_ws(' ', x.amprocnum, x.amproclefttype::regtype, x.amprocrighttype::regtype, x.amproc::regprocedure)
              FROM pg_amproc x WHERE x.amprocfamily = f.oid ORDER BY 1) AS functions
        FROM pg_opclass o JOIN space s ON s.oid = o.opcnamespace JOIN pg_am a ON a.oid = o.opcmethod JOIN pg_opfamily f ON f.oid = o.opcfamily""",
    # The rights that pg_dump leaves out, because CREATE EXTENSION would give them.
    "initial rights": f"""SELECT pg_describe_object(p.classoid, p.objoid, p.objsubid) AS name, {_sorted('p.initprivs::text[]')} AS rights
        FROM pg_init_privs p WHERE p.privtype = 'e'""",
}


def catalogue(database):
    """{(kind, name): properties} of everything in the schemas radscheduler and my_schema, and of all members of the extension."""
    found = {}
    with database.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET search_path = pg_catalog")
        for kind, query in _QUERIES.items():
            cursor.execute(_MEMBERS + query)
            columns = [column.name for column in cursor.description]
            for row in cursor.fetchall():
                properties = dict(zip(columns, row))
                key = kind, properties.pop("name")
                assert key not in found, f"two objects have one name: {key}"
                found[key] = properties
        cursor.execute(_MEMBERS + "SELECT relname FROM relation WHERE is_member AND relkind = 'r'")
        for (table,) in cursor.fetchall():
            cursor.execute(f"SELECT t::text, count(*) FROM radscheduler.{table} t GROUP BY 1")
            found.update({("row", f"{table} {text}"): {"count": count} for text, count in cursor.fetchall()})
    connection.close()
    return found


def differences(left, right):
    """One line for each object that only one side has, and for each property that differs; none when both are the same."""
    lines = []
    for key in sorted(left.keys() | right.keys()):
        title = f"{key[0]} {key[1][:200]}"
        if key not in right:
            lines.append(f"only left: {title}")
        elif key not in left:
            lines.append(f"only right: {title}")
        else:
            lines += [f"{title}: {name} is {left[key][name]!r} left, {right[key][name]!r} right"
                      for name in left[key] if left[key][name] != right[key][name]]
    return lines


def assert_same(left, right):
    found = differences(left, right)
    assert not found, f"{len(found)} differences, the first of them:\n" + "\n".join(found[:25])


def record_columns(database):
    """{table: its columns} of every table that is no member of the extension, partitions too."""
    rows = database.rows(
        _MEMBERS + "SELECT r.oid::regclass::text AS name, array_agg(quote_ident(a.attname) ORDER BY a.attnum) AS columns FROM relation r"
        " JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE r.relkind IN ('r', 'p') AND NOT r.is_member GROUP BY r.oid"
    )
    return {row["name"]: row["columns"] for row in rows}


def fingerprints(database, columns=None):
    """{("rows of", table): number and hash} of the records; columns, from record_columns(), limits what is looked at."""
    return {
        ("rows of", table): database.row(
            f"SELECT count(*), md5(string_agg(t::text, E'\\n' ORDER BY t::text)) AS contents FROM (SELECT {', '.join(names)} FROM {table}) t"
        )
        for table, names in (columns or record_columns(database)).items()
    }


# A newer version adds rows to these: the steps it took, and what the catalogues of exams and words have gained.
GROWING = ("radscheduler.schema_version", "radscheduler.procedure", "radscheduler.modality_alias")


def growing_rows(database, columns):
    """{table: its rows} of the tables that grow; columns are those they had, from record_columns()."""
    return {table: {row["row"] for row in database.rows(f"SELECT t::text AS row FROM (SELECT {', '.join(columns[table])} FROM {table}) t")}
            for table in GROWING}


def sequences(database):
    """{("sequence", name): where it stands}."""
    names = database.rows(_MEMBERS + "SELECT oid::regclass::text AS name FROM relation WHERE relkind = 'S'")
    return {("sequence", row["name"]): database.row(f"SELECT last_value, is_called FROM {row['name']}") for row in names}
