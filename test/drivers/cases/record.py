"""Runs named cases of one driver against one address and prints what each saw: a JSON line a case."""
import datetime
import decimal
import json
import sys
import threading
import time
import zlib

CASES = {}
SHOWN_BYTES = 64


def case(act):
    CASES[act.__name__] = act
    return act


def plain(value):
    """As JSON; what is long becomes its length and checksum, so that outcomes can be read."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(each) for each in value]
    if isinstance(value, (bytes, bytearray)):
        if len(value) > SHOWN_BYTES:
            return f"{len(value)} bytes, {zlib.crc32(value):08x}"
        return "0x" + bytes(value).hex()
    if isinstance(value, str) and len(value) > 8 * SHOWN_BYTES:
        return f"{len(value)} characters, {zlib.crc32(value.encode()):08x}"
    if isinstance(value, int) and abs(value) > 2**53:
        return str(value)
    if isinstance(value, decimal.Decimal):
        return f"decimal {value}"
    if isinstance(value, (datetime.date, datetime.time, datetime.timedelta)):
        return f"{type(value).__name__} {value}"
    return value


def until(holds, seconds=10):
    """Whether it holds before the time is over."""
    end = time.monotonic() + seconds
    while not (met := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return bool(met)


def beside(act):
    """Runs it in a thread; the function returned waits for its result."""
    seen = []
    thread = threading.Thread(target=lambda: seen.append(act()), daemon=True)
    thread.start()

    def result():
        thread.join(30)
        return seen[0] if seen else "never ended"

    return result


def main():
    """Arguments: the address as JSON, then the names of the cases."""
    at = json.loads(sys.argv[1])
    for name in sys.argv[2:]:
        try:
            outcome = CASES[name](at)
        except Exception as error:
            outcome = {"raised": [type(error).__name__, *map(str, error.args)]}
        print(json.dumps([name, plain(outcome)], default=str), flush=True)
