"""What the MySQL 8.4 client library sees: argv is host, port, user, password, database. Prints JSON."""
import json
import sys

import mysql.connector

host, port, user, password, database = sys.argv[1:6]
base = dict(host=host, port=int(port), user=user, password=password, database=database,
            use_pure=False, ssl_disabled=True, connection_timeout=10,
            collation="utf8mb4_general_ci")


def refused(**changes):
    try:
        mysql.connector.connect(**{**base, **changes}).close()
        return None
    except mysql.connector.Error as error:
        return [error.errno, error.sqlstate]


seen = {}
link = mysql.connector.connect(**base)
cursor = link.cursor()
cursor.execute("SELECT 1, 'x', NULL, ''")
seen["constants"] = cursor.fetchall()
cursor.execute("CREATE TABLE IF NOT EXISTS connector (id INT PRIMARY KEY, name VARCHAR(50))")
cursor.execute("REPLACE INTO connector VALUES (1, 'one'), (2, 'two')")
seen["affected"] = cursor.rowcount > 0
link.commit()
prepared = link.cursor(prepared=True)
prepared.execute("SELECT name FROM connector WHERE id = ?", (2,))
seen["prepared"] = prepared.fetchall()
prepared.close()
try:
    cursor.execute("SELECT * FROM no_such_table")
except mysql.connector.Error as error:
    seen["error"] = [error.errno, error.sqlstate]
cursor.execute("SELECT REPEAT('y', 5000000)")
seen["big"] = len(cursor.fetchone()[0])
link.rollback()
link.ping()
seen["in_transaction"] = link.in_transaction
link.close()
seen["wrong_password"] = refused(password="wrong")
seen["no_password"] = refused(password="")
seen["unknown_database"] = refused(database="nowhere")
print(json.dumps(seen))
