"""
For keybeat.py with `public_key`: shows that an answer is the service's own.

Copy it beside keybeat.py. Python 3.8 or later, nothing but the standard library; a check takes some 3 ms.

What is signed, and how, is in src/trust/README.md. An answer counts only for the very request that it was given to:
its method, route, nonce and body are in the signature. No clock is compared.
"""

import base64
import binascii
import datetime
import functools
import hashlib
import json
import re
from typing import Any, Callable, Dict, NamedTuple, Optional, Sequence, Tuple, Union

__all__ = ["read_public_keys", "Request", "Leases", "verify"]

# Its id, to what `verify` needs of it.
PublicKeys = Dict[str, "PublicKey"]


def read_public_keys(given: Union[str, Sequence[str]]) -> PublicKeys:
    """Keys as `keybeat signing-key show` prints them, by their ids. Raises ValueError for anything that is none."""
    texts = [given] if isinstance(given, str) else list(given)
    keys: PublicKeys = {}
    for text in texts:
        encoded = _decode(text.strip(), 32) if isinstance(text, str) else None
        if encoded is None:
            raise ValueError("public_key must be 43 characters of A-Z a-z 0-9 _ -, as `keybeat signing-key show` prints")
        keys[hashlib.sha256(encoded).hexdigest()[:16]] = _read_key(encoded)
    if not keys:
        raise ValueError("public_key must have at least one key")
    return keys


class Request:
    """
    A request that asks for a signed answer, and what its answers are held against.

    route    from /api on, with the query
    payload  the body as it is sent; without one the Authorization header's value
    """

    def __init__(self, keys: PublicKeys, nonce: str, method: str, route: str, payload: bytes) -> None:
        self._keys = keys
        self._nonce = nonce
        self._method = method
        self._route = route
        self._digest = hashlib.sha256(payload).hexdigest()
        # The stream's next event, and the leaf of the one before.
        self._index = 0
        self._leaf = "0" * 64
        self.headers = {"Keybeat-Nonce": nonce, "Keybeat-Trusts": ",".join(keys)}

    def is_answered_by(self, status: int, body: bytes, signature: str) -> bool:
        """Whether the service gave this very answer to this very request."""
        signed = _Signed.read(signature)
        if not signed:
            return False
        asked = [self._method, self._route, str(status), self._nonce, self._digest]
        leaf = _leaf("keybeat-answer-v1", signed.key_id, *asked, hashlib.sha256(body).hexdigest(), signed.time)
        return self._is_signed(signed, leaf)

    def is_told(self, event: str, data: bytes, signature: str) -> bool:
        """Whether this is the next event of the stream that answers this request."""
        signed = _Signed.read(signature)
        if not signed:
            return False
        asked = [self._route, self._nonce, self._digest, str(self._index), self._leaf]
        leaf = _leaf("keybeat-event-v1", signed.key_id, *asked, event, hashlib.sha256(data).hexdigest(), signed.time)
        self._index, self._leaf = self._index + 1, leaf.hex()
        return self._is_signed(signed, leaf)

    def _is_signed(self, signed: "_Signed", leaf: bytes) -> bool:
        key, root = self._keys.get(signed.key_id), signed.root(leaf)
        if not key or not root:
            return False
        return verify(key, f"keybeat-root-v1\n{signed.key_id}\n{root.hex()}".encode(), signed.signature)


# A clock may be put right by so much, in ms.
_FALL_MAX = 10_000
_SAVE_EVERY = 60_000
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{16,128}")


class Leases:
    """
    The lease for a day offline, kept where the session id is, and in the place of a storage for that.

    What it promises: it holds until its end by the service's clock, and not while this device's clock is behind a time
    that it has seen, also one that a process before this one saw. Whoever can change the storage or the program is not
    kept out. Times are in ms since 1970.
    """

    def __init__(self, storage: Any, keys: PublicKeys, access_key: str, wall: Callable[[], float]) -> None:
        self._storage = storage
        self._keys = keys
        self._key = _fold(access_key)
        self._wall = wall
        self._session_id = ""
        # The signed lease, which each start brings along, its end, and the generation that asked for it.
        self.text: Optional[str] = None
        self.until = ""
        self.generation = 0
        self._ends_at = 0
        # The service's clock less this device's.
        self._skew = 0
        self._highest = 0
        self._saved = 0

    def get(self) -> Optional[str]:
        """The session id. Also reads the lease that a process before this one has left."""
        parts = str(self._storage.get() or "").split()
        has_id = bool(parts) and bool(_SESSION_ID.fullmatch(parts[0]))
        self._session_id = parts[0] if has_id else ""
        text, *clock = parts[has_id:] or [""]
        if len(clock) == 2 and all(re.fullmatch("-?[0-9]{1,16}", one) for one in clock) and self._read(text):
            self._skew, self._highest = map(int, clock)
        else:
            self.text = None
        return self._session_id or None

    def set(self, session_id: str) -> None:
        self._session_id = session_id
        self._save()

    def remove(self) -> None:
        """Of the session id; the lease stays."""
        self._session_id = ""
        self._save()

    def drop(self) -> None:
        """The lease is over, or somebody else's."""
        if self.text:
            self.text = None
            self._save()

    def take(self, text: str, server_time: str) -> bool:
        """Keeps a new lease. False if it is not signed by a trusted key, or for another access key."""
        is_right = self._read(text)
        if is_right:
            self.heard(server_time)
            self._save()
        return is_right

    def look(self) -> Optional[str]:
        """"held", or why it does not hold: "lease_ended", "clock_set_back". None without a lease."""
        if not self.text:
            return None
        now = round(self._wall() * 1000) + self._skew
        if now < self._highest - _FALL_MAX:
            return "clock_set_back"
        self._highest = max(now, self._highest)
        if self._highest >= self._saved + _SAVE_EVERY:
            self._save()
        return "held" if now < self._ends_at else "lease_ended"

    def heard(self, server_time: Any) -> None:
        """The service said what time it is."""
        now = _read_time(server_time)
        if self.text and now is not None:
            self._skew, self._highest = now - round(self._wall() * 1000), now
            self._save()

    def _save(self) -> None:
        self._saved = self._highest
        if self.text:
            self._storage.set(f"{self._session_id} {self.text} {self._skew} {self._highest}".lstrip())
        elif self._session_id:
            self._storage.set(self._session_id)
        else:
            self._storage.remove()

    def _read(self, text: str) -> bool:
        """Takes over what a signed lease says, if a trusted key has signed it for this access key."""
        told, _, signature = text.partition(".")
        said = _read_json(told)
        key, signed = self._keys.get(str(said.get("kid"))), _decode(signature, 64)
        ends_at, generation = _read_time(said.get("until")), said.get("generation")
        is_ours = said.get("v") == 1 and self._key.startswith(_fold(str(said.get("key")).rstrip("…")))
        if not (key and signed and ends_at and is_ours and type(generation) is int):
            return False
        if not verify(key, b"keybeat-lease-v1\n" + told.encode(), signed):
            return False
        self.text, self.until, self.generation, self._ends_at = text, said["until"], generation, ends_at
        return True


def _fold(key: str) -> str:
    """Our own keys count the same in either case, and with O for 0 or I, L for 1."""
    return key.lower().replace("o", "0").replace("i", "1").replace("l", "1")


def _read_time(text: Any) -> Optional[int]:
    """RFC 3339 in UTC, as the service writes it, in ms since 1970."""
    try:
        moment = datetime.datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%fZ")
    except ValueError:
        return None
    return round(moment.replace(tzinfo=datetime.timezone.utc).timestamp() * 1000)


def _read_json(told: str) -> Dict[str, Any]:
    try:
        said = json.loads(_decode(told) or b"")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


# v1;<key id>;<time, ms>;<signature>;<place>/<size>;<path>
_SIGNATURE = re.compile(
    r"v1;([0-9a-f]{16});([0-9]{1,16});([\w-]{86});(0|[1-9][0-9]{0,8})/([1-9][0-9]{0,8});([\w-]*)", re.ASCII
)


class _Signed(NamedTuple):
    """A signature as it is sent: of a tree's root, with the way up to there from one of its leaves."""

    key_id: str
    time: str
    signature: bytes
    place: int
    size: int
    path: bytes

    @staticmethod
    def read(text: str) -> "Optional[_Signed]":
        parts = _SIGNATURE.fullmatch(text)
        if not parts:
            return None
        key_id, time, signature, place, size, path = parts.groups()
        signed, siblings = _decode(signature, 64), _decode(path)
        if signed is None or siblings is None or int(place) >= int(size):
            return None
        return _Signed(key_id, time, signed, int(place), int(size), siblings)

    def root(self, leaf: bytes) -> Optional[bytes]:
        """The root above the leaf; None if the path has not exactly the siblings that it needs."""
        node, place, size = leaf, self.place, self.size
        siblings = [self.path[at : at + 32] for at in range(0, len(self.path), 32)]
        while size > 1:
            # The last one of an odd number goes up as it is.
            if place ^ 1 < size:
                if not siblings:
                    return None
                pair = (siblings.pop(0), node) if place % 2 else (node, siblings.pop(0))
                node = hashlib.sha256(b"\x01" + pair[0] + pair[1]).digest()
            place, size = place // 2, (size + 1) // 2
        return None if siblings else node


def _leaf(*fields: str) -> bytes:
    return hashlib.sha256(b"\x00" + "\n".join(fields).encode()).digest()


def _decode(text: str, length: Optional[int] = None) -> Optional[bytes]:
    """Base64url without padding, in its one right form; None if it is not, or not that long."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeError, binascii.Error):
        return None
    is_right = base64.urlsafe_b64encode(data).rstrip(b"=") == text.encode()
    return data if is_right and length in (None, len(data)) else None


# ---------------------------------------------------------------------------------------------------------------------
# Ed25519 (RFC 8032, 5.1). Everything here is public, so it need not take the same time for all values.

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)

# X, Y, Z, T: x = X/Z, y = Y/Z, xy = T/Z.
_Point = Tuple[int, int, int, int]
_ZERO = (0, 1, 1, 0)


class PublicKey(NamedTuple):
    encoded: bytes
    # −A, and B − A.
    minus: _Point
    base_minus: _Point


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether the key has signed the message: R = S·B − h·A, with S below the order, and R in its one encoding."""
    if len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= _ORDER:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key.encoded + message).digest(), "little") % _ORDER
    point: _Point = _ZERO
    for bit in range(max(s.bit_length(), h.bit_length()) - 1, -1, -1):
        point = _add(point, point)
        which = (s >> bit & 1) + 2 * (h >> bit & 1)
        if which:
            point = _add(point, (_base(), key.minus, key.base_minus)[which - 1])
    return _encode(point) == signature[:32]


def _read_key(encoded: bytes) -> PublicKey:
    """Raises ValueError where there is no such point, or one for which anybody could sign (of small order)."""
    point = _read_point(encoded)
    eightfold = point and functools.reduce(lambda twice, _: _add(twice, twice), range(3), point)
    if not point or not eightfold or eightfold[0] == 0:
        raise ValueError("public_key is no Ed25519 public key")
    x, y, z, t = point
    minus = (_P - x, y, z, _P - t)
    return PublicKey(encoded, minus, _add(_base(), minus))


@functools.lru_cache(maxsize=None)
def _base() -> _Point:
    point = _read_point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))
    assert point
    return point


def _add(p: _Point, q: _Point) -> _Point:
    """Of any two points, also of one with itself: these formulas have no exceptions on this curve."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * p[3] * q[3] * _D % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _read_point(encoded: bytes) -> Optional[_Point]:
    number = int.from_bytes(encoded, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _ROOT_OF_MINUS_1 % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P
