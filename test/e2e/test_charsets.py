"""Messages in every charset that HL7 table 0211 names: read as the text they are, dumped and restored as they were."""

import psycopg2
import pytest
from support.services import Database

# MSH-18 as sent, Python's codec for the bytes, a name written in it.
CHARSETS = [
    ("UNICODE UTF-8", "utf-8", "Ünïcödé 山田 ∑"), ("", "utf-8", "ohne Angabe: Müller"), ("8859/1", "latin-1", "Müller é"), ("8859/2", "iso8859-2", "Łódź"),
    ("8859/3", "iso8859-3", "ĉapelo"), ("8859/4", "iso8859-4", "Ķēniņš"), ("8859/5", "iso8859-5", "Иванов"), ("8859/6", "iso8859-6", "محمد"),
    ("8859/7", "iso8859-7", "Παπαδόπουλος"), ("8859/8", "iso8859-8", "כהן"), ("8859/9", "iso8859-9", "Şahin ğ"), ("8859/15", "iso8859-15", "Œuvre €"),
    ("WINDOWS-1252", "cp1252", "O’Brien €"), ("~ISO IR87", "iso2022_jp", "山田太郎"), ("ISO IR14~ISO IR87~ISO IR159", "iso2022_jp_1", "丂田"), ("GB 18030-2000", "gb18030", "李小龙"),
    ("KS X 1001", "euc_kr", "홍길동"), ("~KS X 1001", "iso2022_kr", "홍길동"), ("BIG-5", "big5", "張國榮"), ("SHIFT_JIS", "cp932", "ソ表 ﾔﾏﾀﾞ"),
]


@pytest.fixture(scope="module")
def source(cluster):
    database = Database.create(cluster, "charsets")
    database.execute("CREATE TABLE public.message (id integer PRIMARY KEY, charset text, body radscheduler.hl7 NOT NULL)")
    for number, (charset, codec, name) in enumerate(CHARSETS):
        sent = b"MSH|^~\\&|A|B|C|D|20260101||SIU^S12|1|P|2.5||||||" + charset.encode() + b"\rNTE|1||" + name.encode(codec) + b"\r"
        database.execute("INSERT INTO public.message VALUES (%s, %s, radscheduler.hl7(%s::bytea))", number, charset, psycopg2.Binary(sent))
    yield database
    database.close()


@pytest.mark.parametrize("number", range(len(CHARSETS)), ids=[f"{charset or 'none'} {codec}" for charset, codec, _ in CHARSETS])
def test_the_text_is_what_was_written(source, number):
    assert source.value("SELECT radscheduler.hl7_get(body, 'NTE-3') FROM public.message WHERE id = %s", number) == CHARSETS[number][2]


@pytest.mark.parametrize("form", ["plain", "custom", "plain in GB18030"])
def test_dump_and_restore(cluster, source, tmp_path, form):
    target = Database.create(cluster, "charsets_restored", extension=False)
    file = tmp_path / "dump"
    if form == "custom":
        dumped = cluster.tool("pg_dump", "-Fc", "-f", file, source.name)
        restored = cluster.tool("pg_restore", "--exit-on-error", "-d", target.name, file)
    else:
        encoding = ["-E", "GB18030"] if "GB18030" in form else []
        dumped = cluster.tool("pg_dump", *encoding, "-t", "public.message", "-f", file, source.name)
        target.execute("CREATE EXTENSION radscheduler CASCADE")
        restored = cluster.tool("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", file, target.name)
    assert dumped.returncode == 0, dumped.stderr.decode()
    assert restored.returncode == 0, restored.stderr.decode()
    rows = "SELECT id, charset, body::text AS body FROM public.message ORDER BY id"
    assert target.rows(rows) == source.rows(rows)
    assert len(target.rows(rows)) == len(CHARSETS)
    target.close()
