"""
For keybeat.py with `public_key`: shows that an answer is the service's own.

Copy it beside keybeat.py. Python 3.8 or later, nothing but the standard library; a check takes some 3 ms.

What is signed, and how, is in src/trust/README.md. An answer counts only for the very request that it was given to:
its method, route, nonce and body are in the signature. No clock is compared.
"""

import base64
import binascii
import functools
import hashlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

__all__ = ["read_public_keys", "read_lease", "Request", "verify"]

# Its id, to what `verify` needs of it.
PublicKeys = Dict[str, "PublicKey"]


def read_public_keys(given: Union[str, Sequence[str]]) -> PublicKeys:
    """Keys as `keybeat signing-key` prints them, by their ids. Raises ValueError for anything that is none."""
    texts = [given] if isinstance(given, str) else list(given)
    keys: PublicKeys = {}
    for text in texts:
        encoded = _decode(text.strip(), 32) if isinstance(text, str) else None
        if encoded is None:
            raise ValueError("public_key must be 43 characters of A-Z a-z 0-9 _ - each, as `keybeat signing-key` prints them")
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
        return bool(key and root) and verify(key, f"keybeat-root-v1\n{signed.key_id}\n{root.hex()}".encode(), signed.signature)


def read_lease(keys: PublicKeys, lease: str) -> Optional[Dict[str, Any]]:
    """What a signed lease says; None if no trusted key has signed it."""
    told, _, signature = lease.partition(".")
    said = _read_json(told)
    key, signed = keys.get(str(said.get("kid"))), _decode(signature, 64)
    is_signed = key and signed and verify(key, b"keybeat-lease-v1\n" + told.encode(), signed)
    return said if is_signed and said.get("v") == 1 else None


def _read_json(told: str) -> Dict[str, Any]:
    try:
        said = json.loads(_decode(told) or b"")
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


# v1;<key id>;<time, ms>;<signature>;<place>/<size>;<path>
_SIGNATURE = re.compile(r"v1;([0-9a-f]{16});([0-9]{1,16});([\w-]{86});(0|[1-9][0-9]{0,8})/([1-9][0-9]{0,8});([\w-]*)", re.ASCII)


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
