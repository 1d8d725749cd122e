"""The MySQL 8.4 client library: its C extension, and where the address says so its Python protocol."""
import datetime
import decimal
import io
import os
import tempfile

import mysql.connector
from mysql.connector import pooling
from record import beside, case, main, until


def settings(at, **more):
    address = {key: at[key] for key in ("host", "port", "user", "password", "database")}
    return {**address, "use_pure": at.get("pure", False), "ssl_disabled": True, "connection_timeout": 30,
            "collation": "utf8mb4_general_ci", **more}


def login(at, **more):
    return mysql.connector.connect(**settings(at, **more))


def failure(act):
    try:
        act()
        return None
    except mysql.connector.Error as error:
        return [type(error).__name__, error.errno, error.sqlstate, error.msg]
    except Exception as error:
        # The C extension's own.
        return [type(error).__name__, getattr(error, "errno", None), getattr(error, "sqlstate", None), str(error)]


def rows(link, sql, values=None, **kind):
    cursor = link.cursor(**kind)
    try:
        cursor.execute(sql, values or ())
        return cursor.fetchall() if cursor.description else [cursor.rowcount, cursor.lastrowid]
    finally:
        cursor.close()


def state(link):
    """What a reset or another login must take away, and what it must keep."""
    return rows(link, "SELECT CURRENT_USER(), DATABASE(), @mine, @@time_zone, @@autocommit, @@sql_mode,"
                      " @@character_set_client")


def spoil(link):
    for sql in ("SET @mine = 7, time_zone = '+05:00', sql_mode = 'ANSI_QUOTES'", "SET autocommit = 1"):
        rows(link, sql)


@case
def logins(at):
    second = dict(user=at["second"]["user"], password=at["second"]["password"])
    who = "SELECT CURRENT_USER(), DATABASE()"
    return {
        "default plugin": rows(login(at), who),
        "native": rows(login(at, auth_plugin="mysql_native_password"), who),
        "no database": rows(login(at, database=None), who),
        "second": rows(login(at, **second), who),
        "wrong password": (failure(lambda: login(at, password="wrong")) or [])[:3],
        "no password": (failure(lambda: login(at, password="")) or [])[:3],
        "unknown user": (failure(lambda: login(at, user=at["user"].replace("demo", "ghost"))) or [])[:3],
        "unknown database": failure(lambda: login(at, database="nowhere")),
    }


GIVEN = (
    -(2**63), 2**64 - 1, decimal.Decimal("12345678901234567890.123456789"), 1.5e300, None, "",
    "it's \\ \"quoted\" \n é中😀", b"\x00\xff'\\", True,
    datetime.date(2026, 2, 28), datetime.datetime(2026, 2, 28, 23, 59, 58, 123456),
    datetime.timedelta(hours=-838, minutes=59), datetime.timedelta(seconds=3723),
)
COLUMNS = ("i BIGINT, u BIGINT UNSIGNED, d DECIMAL(40,9), f DOUBLE, n INT, e VARCHAR(9), s VARCHAR(99), b BLOB,"
           " t TINYINT(1), day DATE, at DATETIME(6), span TIME, clock TIME")


def written(at):
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS kinds")
    rows(link, f"CREATE TABLE kinds (id INT PRIMARY KEY AUTO_INCREMENT, {COLUMNS})")
    cursor = link.cursor()
    names = "i,u,d,f,n,e,s,b,t,day,at,span,clock"
    marks = ",".join(["%s"] * len(GIVEN))
    for each in (GIVEN, (None,) * len(GIVEN), GIVEN):
        cursor.execute(f"INSERT INTO kinds ({names}) VALUES ({marks})", each)
    inserted = [cursor.rowcount, cursor.lastrowid]
    link.commit()
    cursor.execute("SELECT * FROM kinds WHERE id <> %s ORDER BY id", (99,))
    found = cursor.fetchall()
    described = [list(each[:2]) + list(each[6:]) for each in cursor.description]
    cursor.execute("SELECT id FROM kinds WHERE s = %s AND day = %s", (GIVEN[6], GIVEN[9]))
    return {"inserted": inserted, "rows": found, "described": described, "again": cursor.fetchall()}


@case
def values(at):
    return written(at)


@case
def prepared(at):
    """Parameters of every kind that the implementation sends: the C extension ends on others, a server or none."""
    bare = (-(2**63), 2**63 - 1, 1.5, None, "", GIVEN[6], b"bytes", True, datetime.date(2026, 2, 28))
    pure = (2**64 - 1, b"\x00\xff'", *GIVEN[10:])
    columns = ["BIGINT", "BIGINT", "DOUBLE", "INT", "VARCHAR(9)", "VARCHAR(99)", "BLOB", "TINYINT", "DATE"]
    given = bare
    if at.get("pure", False):
        given = bare + pure
        columns += ["BIGINT UNSIGNED", "BLOB", "DATETIME(6)", "TIME", "TIME"]
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS given")
    named = ",".join(f"c{at} {kind}" for at, kind in enumerate(columns))
    rows(link, f"CREATE TABLE given (id INT PRIMARY KEY AUTO_INCREMENT, {named})")
    cursor = link.cursor(prepared=True)
    names, marks = ",".join(f"c{at}" for at in range(len(given))), ",".join("?" * len(given))
    for each in (given, (None,) * len(given), given):
        cursor.execute(f"INSERT INTO given ({names}) VALUES ({marks})", each)
    inserted = [cursor.rowcount, cursor.lastrowid]
    link.commit()
    cursor.execute("SELECT * FROM given WHERE id <> ? ORDER BY id", (99,))
    found = cursor.fetchall()
    cursor.execute("SELECT id FROM given WHERE c5 = ? AND c8 = ?", (given[5], given[8]))
    return {"inserted": inserted, "rows": found, "again": cursor.fetchall()}


@case
def many_statements(at):
    link = login(at)
    seen = []
    cursors = [link.cursor(prepared=True) for _ in range(30)]
    for number, cursor in enumerate(cursors):
        cursor.execute(f"SELECT {number}, ? + 1", (number,))
        seen.append(cursor.fetchall())
    for cursor in cursors[::2]:
        cursor.close()
    for number, cursor in list(enumerate(cursors))[1::2]:
        cursor.execute(f"SELECT {number}, ? + 1", (number * 10,))
        seen.append(cursor.fetchall())
    refused = link.cursor(prepared=True)
    return [seen, failure(lambda: refused.execute("SELECT * FROM nosuch WHERE id = ?", (1,))),
            failure(lambda: refused.execute("SELEKT ?", (1,))), rows(link, "SELECT 1")]


@case
def row_by_row(at):
    """Prepared and not buffered: rows are fetched as they are asked for."""
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS fetched")
    rows(link, "CREATE TABLE fetched (id INT PRIMARY KEY, word VARCHAR(20))")
    cursor = link.cursor()
    cursor.executemany("INSERT INTO fetched VALUES (%s, %s)", [(n, f"word {n}") for n in range(200)])
    link.commit()
    cursor.close()
    cursor = link.cursor(prepared=True, buffered=False)
    cursor.execute("SELECT * FROM fetched WHERE id >= ? ORDER BY id", (5,))
    seen = [cursor.fetchone(), cursor.fetchmany(3)]
    seen += [len(cursor.fetchall()), cursor.fetchone()]
    cursor.close()
    return [seen, rows(link, "SELECT 1")]


@case
def long_data(at):
    """The Python protocol sends streams by SEND_LONG_DATA; the C extension takes values only."""
    link = login(at, use_pure=True)
    rows(link, "DROP TABLE IF EXISTS long_data")
    rows(link, "CREATE TABLE long_data (id INT PRIMARY KEY, body LONGBLOB, word VARCHAR(20), tail LONGBLOB)")
    cursor = link.cursor(prepared=True)
    insert = "INSERT INTO long_data VALUES (?, ?, ?, ?)"
    cursor.execute(insert, (1, io.BytesIO(b"\x00\xfe" * 100_000), "two", io.BytesIO(b"tail")))
    cursor.execute(insert, (2, io.BytesIO(b"x"), None, b"plain"))
    cursor.execute(insert, (3, b"plain", "after", io.BytesIO(b"z" * 2_000_000)))
    link.commit()
    return rows(link, "SELECT id, body, word, tail FROM long_data ORDER BY id", raw=False)


@case
def big_statements(at):
    link = login(at)
    seen = {}
    for label, size in (("1 MB", 1 << 20), ("16 MB - 1", (1 << 24) - 1), ("16 MB", 1 << 24),
                        ("17 MB", 17 << 20)):
        head, tail = "SELECT LENGTH('", "')"
        sql = head + "x" * (size - 1 - len(head) - len(tail)) + tail
        refused = failure(lambda: seen.__setitem__(label, rows(link, sql)))
        if refused is not None:
            seen[label] = refused
        seen[label + ", after"] = failure(lambda: rows(link, "SELECT 1"))
    cursor = link.cursor(prepared=True)
    for size in (5_000_000, 15_000_000):
        cursor.execute("SELECT LENGTH(?), ?", (b"b" * size, size))
        seen[f"prepared {size}"] = cursor.fetchall()
    return seen


@case
def large_result(at):
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS digits")
    rows(link, "CREATE TABLE digits (d INT PRIMARY KEY)")
    rows(link, "INSERT INTO digits VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
    link.commit()
    rows(link, "SET ob_query_timeout = 100000000")
    cursor = link.cursor(buffered=False, raw=True)
    cursor.execute("SELECT a.d + 10 * b.d + 100 * c.d AS n, REPEAT('z', 65536) FROM digits a, digits b, digits c"
                   " ORDER BY n")
    count = size = 0
    ordered = True
    for number, text in cursor:
        ordered = ordered and int(number) == count
        count += 1
        size += len(text)
    cursor.close()
    return {"rows": count, "bytes": size, "ordered": ordered, "after": rows(link, "SELECT 1")}


@case
def errors(at):
    link = login(at)
    rows(link, "DROP TABLE IF EXISTS once")
    rows(link, "CREATE TABLE once (id INT PRIMARY KEY, n INT NOT NULL)")
    rows(link, "INSERT INTO once VALUES (1, 1)")
    link.commit()
    texts = ["SELECT * FROM nosuch", "SELEKT 1", "INSERT INTO once VALUES (1, 2)", "INSERT INTO once VALUES (2, NULL)",
             "USE nowhere", "DROP TABLE nosuch", "SET nosuch = 1", "KILL 4000000000", "SELECT COUNT(*) FROM once"]
    seen = {sql: failure(lambda: rows(link, sql)) for sql in texts}
    with_warnings = login(at, get_warnings=True)
    cursor = with_warnings.cursor()
    cursor.execute("SELECT CAST('7x' AS SIGNED)")
    cursor.fetchall()
    seen["warnings"] = cursor.fetchwarnings() if hasattr(cursor, "fetchwarnings") else cursor.warnings
    return seen


@case
def several(at):
    link = login(at)
    cursor = link.cursor()
    seen = []
    for result in cursor.execute("SELECT 1 a; SELECT 2 b, 'x' c; DO 1; SELECT 3 FROM dual WHERE 1 = 0;"
                                 " SET @v = 9; SELECT @v", multi=True):
        seen.append([result.rowcount, result.fetchall() if result.with_rows else None])

    def broken():
        for result in cursor.execute("SELECT 1; SELECT * FROM nosuch; SELECT 3", multi=True):
            result.fetchall()

    seen.append(failure(broken))
    return [seen, rows(login(at), "SELECT @v")]


@case
def procedures(at):
    link = login(at)
    rows(link, "DROP PROCEDURE IF EXISTS twice")
    rows(link, "CREATE PROCEDURE twice(IN a INT, OUT b INT, INOUT c INT) BEGIN SELECT a AS first;"
               " SELECT a + 1 AS second, 'x' AS word; SET b = a * 2; SET c = c + a; END")
    cursor = link.cursor()
    out = cursor.callproc("twice", (7, 0, 5))
    return [list(out), [result.fetchall() for result in cursor.stored_results()]]


@case
def files(at):
    link = login(at, allow_local_infile=True)
    rows(link, "DROP TABLE IF EXISTS loaded")
    rows(link, "CREATE TABLE loaded (id INT PRIMARY KEY, name VARCHAR(20))")
    seen = {}
    with tempfile.TemporaryDirectory() as folder:
        def load(label, content):
            path = os.path.join(folder, label)
            with open(path, "w") as file:
                file.write(content)
            return rows(link, f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE loaded FIELDS TERMINATED BY ','")

        seen["rows"] = load("some", "".join(f"{n},name {n}\n" for n in range(1, 4)))
        seen["empty"] = load("empty", "")
        seen["many"] = load("many", "".join(f"{n},name {n}\n" for n in range(1000, 4000)))
        missing = f"LOAD DATA LOCAL INFILE '{folder}/missing' INTO TABLE loaded"
        seen["missing"] = (failure(lambda: rows(link, missing)) or [None])[0]
        link = login(at, allow_local_infile=True)
        seen["after"] = rows(link, "SELECT COUNT(*), MIN(name) FROM loaded")
        off = login(at, allow_local_infile=False)
        seen["off"] = (failure(lambda: rows(off, missing)) or [])[:3]
    return seen


@case
def cancels(at):
    link, other = login(at), login(at)
    waits = beside(lambda: failure(lambda: rows(link, f"SELECT SLEEP(20) /* {at['database']} */")))
    running = lambda: any(f"/* {at['database']} */" in str(row) and "SHOW" not in str(row[-1])
                          for row in rows(other, "SHOW FULL PROCESSLIST"))
    seen = {"seen": until(running)}
    rows(other, f"KILL QUERY {link.connection_id}")
    seen["killed query"] = waits()
    seen["after"] = rows(link, "SELECT 1")
    waits = beside(lambda: failure(lambda: rows(link, f"SELECT SLEEP(20) /* {at['database']} */")))
    seen["seen again"] = until(running)
    other.cmd_process_kill(link.connection_id)
    seen["killed"] = (waits() or ["nothing"])[0] != "nothing"
    seen["closed"] = failure(lambda: rows(link, "SELECT 1")) is not None
    seen["gone"] = until(lambda: not running())
    return seen


@case
def change_user(at):
    link = login(at)
    second = at["second"]
    spoil(link)
    cursor = link.cursor(prepared=True)
    cursor.execute("SELECT ?", (1,))
    cursor.fetchall()
    link.start_transaction()
    rows(link, "DO 1")
    before = link.connection_id
    link.cmd_change_user(username=second["user"], password=second["password"], database=at["database"])
    seen = [state(link), link.in_transaction, link.connection_id == before]
    link.cmd_change_user(username=at["user"], password=at["password"], database="oceanbase")
    seen.append(state(link))
    again = link.cursor(prepared=True)
    again.execute("SELECT ? + 1", (1,))
    seen.append(again.fetchall())
    refused = failure(lambda: link.cmd_change_user(username=at["user"], password="wrong", database=at["database"]))
    seen.append((refused or ["accepted"])[:3])
    seen.append(failure(lambda: rows(link, "SELECT 1")) is None)
    return seen


@case
def resets(at):
    link = login(at)
    spoil(link)
    link.start_transaction()
    rows(link, "SELECT COUNT(*) FROM oceanbase.__all_database")
    before = link.connection_id
    seen = [link.cmd_reset_connection(), state(link), link.in_transaction, link.connection_id == before]
    link.reset_session(user_variables={"mine": "new"}, session_variables={"time_zone": "+02:00"})
    seen.append(state(link))
    cursor = link.cursor(prepared=True)
    cursor.execute("SELECT ? + 1", (1,))
    seen.append(cursor.fetchall())
    link.cmd_reset_connection()
    again = link.cursor(prepared=True)
    again.execute("SELECT ? + 2", (1,))
    seen.append(again.fetchall())
    return seen


@case
def pools(at):
    pool = pooling.MySQLConnectionPool(pool_name="p", pool_size=2, pool_reset_session=True, **settings(at))
    first, second = pool.get_connection(), pool.get_connection()
    exhausted = (failure(pool.get_connection) or [None])[0]
    spoil(first)
    first.close()
    third = pool.get_connection()
    seen = [exhausted, state(third), rows(second, "SELECT 1")]
    for link in (second, third):
        link.close()
    return seen


@case
def transactions(at):
    link, other = login(at), login(at, autocommit=True)
    rows(link, "DROP TABLE IF EXISTS booked")
    rows(link, "CREATE TABLE booked (id INT PRIMARY KEY)")
    count = lambda who: rows(who, "SELECT COUNT(*) FROM booked")[0][0]
    seen, flags = [], []
    for level in (None, "READ COMMITTED"):
        link.start_transaction(isolation_level=level)
        flags.append(link.in_transaction)
        rows(link, "INSERT INTO booked VALUES (1)")
        flags.append(link.in_transaction)
        seen += [count(link), count(other)]
        link.rollback()
        flags.append(link.in_transaction)
    link.start_transaction()
    rows(link, "INSERT INTO booked VALUES (2)")
    link.commit()
    link.start_transaction(readonly=True)
    flags.append(failure(lambda: rows(link, "INSERT INTO booked VALUES (3)")))
    link.rollback()
    link.autocommit = True
    rows(link, "INSERT INTO booked VALUES (4)")
    return {"counts": [*seen, count(other)], "flags": [*flags, link.autocommit, link.in_transaction]}


@case
def identity(at):
    link = login(at)
    mine = rows(link, "SELECT CONNECTION_ID()")[0][0] == link.connection_id
    listed = [row for row in rows(link, "SHOW PROCESSLIST") if row[0] == link.connection_id]
    statistics = failure(lambda: link.cmd_statistics())
    return {"same id": mine, "listed": [[row[1], row[3], row[4]] for row in listed], "statistics": statistics,
            "info": link.get_server_info()[:3]}


@case
def character_sets(at):
    seen = {}
    ask = "SELECT %s, HEX(%s), @@character_set_client, @@character_set_results, @@collation_connection"
    for name, collation, text in (("utf8mb4", "utf8mb4_general_ci", "é中😀'\\"),
                                  ("latin1", "latin1_swedish_ci", "é'\\ü"), ("gbk", "gbk_chinese_ci", "中文'\\")):
        link = login(at, charset=name, collation=collation)
        seen[name] = [rows(link, ask, (text, text))]
        rows(link, "SET @kept = %s", (text,))
        link.set_charset_collation("utf8mb4", "utf8mb4_general_ci")
        seen[name].append(rows(link, "SELECT @kept, @@character_set_client"))
    return seen


@case
def databases(at):
    link = login(at)
    seen = [rows(link, "SELECT DATABASE()")]
    link.cmd_init_db("oceanbase")
    seen.append([rows(link, "SELECT DATABASE()"), link.database])
    seen.append(failure(lambda: link.cmd_init_db("nowhere")))
    link.ping()
    link.database = at["database"]
    seen.append(rows(link, "SELECT DATABASE()"))
    return seen


@case
def compression(at):
    """Asked for, not offered: the session works without it, or is refused."""
    try:
        link = login(at, compress=True)
    except mysql.connector.Error as error:
        return [type(error).__name__, error.errno, error.sqlstate, error.msg]
    return rows(link, "SELECT 1, LENGTH(REPEAT('c', 100000))")


@case
def over_tls(at):
    link = login(at, ssl_disabled=False, ssl_ca=at["ca"], ssl_verify_cert=True)
    cipher = link._socket.sock.cipher() if at.get("pure", False) else link._cmysql.get_ssl_cipher()
    return [bool(cipher), rows(link, "SELECT ?, REPEAT('b', 100000)", (1,), prepared=True)]


if __name__ == "__main__":
    main()
