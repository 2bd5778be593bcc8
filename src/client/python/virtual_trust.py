"""
What the scripted server knows of trust: it signs as the service does, with fixed keys, and wrongly where a scenario
wants that; and it checks what holds of proofs and nonces in every scenario.
"""

import base64
import functools
import hashlib
import json
import re
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import keybeat_trust

Json = Dict[str, Any]

NO_LEAF = "0" * 64
# Trees of one answer and of several, with the answer in each place.
SIZE_MAX = 7
ID = re.compile(r"[A-Za-z0-9_-]{16,128}")


class Asked(NamedTuple):
    """What of a request is signed."""

    method: str
    route: str
    nonce: str
    # The body; without one the Authorization header's value.
    content: str


def read_asked(request: Any) -> Asked:
    """What of a keybeat._Exchange is signed."""
    method = "GET" if request.content is None else "POST"
    content = request.headers["Authorization"] if request.content is None else request.content.decode()
    return Asked(method, request.url[request.url.index("/api/") :], request.headers.get("Keybeat-Nonce", ""), content)


class Signer:
    """With the table's `signing_keys`; a key is given by its name there."""

    def __init__(self, keys: Dict[str, Json]) -> None:
        self._keys = keys
        self._signed = 0

    def choose(self, names: List[str], trusts: Optional[str]) -> Optional[str]:
        """The first of these keys that the client trusts."""
        return next((name for name in names if self._keys[name]["id"] in (trusts or "").split(",")), None)

    def sign_answer(self, name: str, asked: Asked, status: int, body: str, at: int, fault: Optional[str]) -> str:
        signed = [
            *(asked.method, asked.route + "?x" if fault == "other_route" else asked.route),
            *(str(201 if fault == "other_status" else status), asked.nonce + ("0" if fault == "other_nonce" else "")),
            *(digest(asked.content + (" " if fault == "other_request" else "")), digest(body), str(at)),
        ]
        return self._sign_leaf("keybeat-answer-v1", name, signed, at, fault)[0]

    def sign_lease(self, name: str, claims: Json) -> str:
        told = encode(json.dumps({"v": 1, "kid": self._keys[name]["id"], **claims}).encode())
        return told + "." + encode(self._sign(name, "keybeat-lease-v1\n" + told))

    def _sign_leaf(self, form: str, name: str, signed: List[str], at: int, fault: Optional[str]) -> Tuple[str, str]:
        """The signature as it is sent, and the leaf."""
        by = "stranger" if fault in ("forged", "stranger") else name
        key_id = self._keys[name if fault == "forged" else by]["id"]
        leaf = hashlib.sha256(b"\0" + "\n".join([form, key_id, *signed]).encode()).digest()
        size = self._signed % SIZE_MAX + 1
        place = self._signed // SIZE_MAX % size
        self._signed += 1
        row = [leaf if at == place else hashlib.sha256(b"leaf %d" % at).digest() for at in range(size)]
        root, path = grow_tree(row, place)
        signature = encode(self._sign(by, f"keybeat-root-v1\n{key_id}\n{root.hex()}"))
        sent = f"v1;{key_id};{at};{signature};{place}/{size};{encode(path)}"
        return "v1;" if fault == "garbled" else sent, leaf.hex()

    def _sign(self, name: str, text: str) -> bytes:
        """Ed25519 (RFC 8032, 5.1.6)."""
        secret, prefix, public = read_seed(self._keys[name]["seed"])
        r = modulo_order(prefix + text.encode())
        first = multiply(r)
        s = (r + modulo_order(first + public + text.encode()) * secret) % keybeat_trust._ORDER
        return first + s.to_bytes(32, "little")


class StreamSigner:
    """Signs one event of a stream after the other."""

    def __init__(self, signer: Signer, name: str, asked: Asked) -> None:
        self._signer = signer
        self._name = name
        self._asked = asked
        self._index = 0
        self._before = NO_LEAF

    def sign(self, event: str, data: str, at: int, fault: Optional[str]) -> str:
        if fault == "skipped":
            self._index, self._before = self._index + 1, digest("the one that was held back")
        asked = self._asked
        signed = [
            *(asked.route, asked.nonce + ("0" if fault == "other_nonce" else "")),
            *(digest(asked.content + ("0" if fault == "other_session" else "")), str(self._index), self._before),
            *(event, digest(data), str(at)),
        ]
        sent, leaf = self._signer._sign_leaf("keybeat-event-v1", self._name, signed, at, fault)
        self._index, self._before = self._index + 1, leaf
        return sent


class TrustRules:
    """What holds of proofs and nonces in every scenario, and the table's names for what is random in them."""

    def __init__(self, table: Json, client: Json, violations: List[str]) -> None:
        self._takes_part = client.get("proof", False)
        names = client.get("public_keys")
        self._trusts = names and ",".join(table["signing_keys"][name]["id"] for name in names)
        self._violations = violations
        self._instances: List[str] = []
        self._beats: Dict[str, Json] = {}
        self._numbers: Dict[str, int] = {}
        self._nonces: List[str] = []

    def note(self, name: str, request: Any, body: Json) -> Optional[Json]:
        """Checks the request, and names its proof."""
        self._note_nonce(request.headers)
        is_due = self._takes_part and name in ("start", "heartbeat", "lease")
        if is_due != ("proof" in body):
            self._violations.append(f"a {name} with{'out' if is_due else ''} proof")
        if name == "watch" and request.url.endswith("watch?proof=true") != self._takes_part:
            self._violations.append(f"a watch at {request.url}")
        return self._note_proof(dict(body)) if "proof" in body else None

    def _note_proof(self, body: Json) -> Json:
        beat = dict(body.pop("proof"))
        answer = beat.pop("answer", None)
        instance, number, beat_id = beat["instance"], beat["number"], beat["beat_id"]
        if not (ID.fullmatch(instance) and ID.fullmatch(beat_id) and beat.keys() == {"instance", "number", "beat_id"}):
            self._violations.append("a malformed proof")
        if self._beats.get(beat_id, [body, beat]) != [body, beat]:
            self._violations.append("a beat that changed")
        if beat_id not in self._beats and number <= self._numbers.get(instance, -1):
            self._violations.append("a number that did not rise")
        self._numbers[instance] = max(number, self._numbers.get(instance, -1))
        self._beats[beat_id] = [body, beat]
        if instance not in self._instances:
            self._instances.append(instance)
        name = chr(ord("P") + self._instances.index(instance))
        return {"instance": name, "beat": list(self._beats).index(beat_id) + 1, "answer": answer}

    def _note_nonce(self, headers: Json) -> None:
        nonce = headers.get("Keybeat-Nonce")
        if headers.get("Keybeat-Trusts") != self._trusts:
            self._violations.append("the wrong Keybeat-Trusts")
        if (nonce is not None) != (self._trusts is not None) or (nonce and not ID.fullmatch(nonce)):
            self._violations.append(f"the nonce {nonce}")
        if nonce and nonce in self._nonces:
            self._violations.append("a nonce that was used before")
        self._nonces.append(nonce)


def grow_tree(leaves: List[bytes], place: int) -> Tuple[bytes, bytes]:
    """The root over a row of leaves, and the siblings of one of them from the leaf up."""
    path, row = b"", leaves
    while len(row) > 1:
        path += b"".join(row[place ^ 1 : (place ^ 1) + 1])
        pairs = [row[at : at + 2] for at in range(0, len(row), 2)]
        row = [hashlib.sha256(b"\1" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
        place //= 2
    return row[0], path


@functools.lru_cache(maxsize=None)
def read_seed(seed: str) -> Tuple[int, bytes, bytes]:
    """The secret scalar, the prefix for signing, and the public key."""
    half = hashlib.sha512(base64.urlsafe_b64decode(seed + "=")).digest()
    secret = int.from_bytes(half[:32], "little") & (2**254 - 8) | 2**254
    return secret, half[32:], multiply(secret)


def multiply(scalar: int) -> bytes:
    """That many times the base point, encoded."""
    point = keybeat_trust._ZERO
    for bit, doubled in enumerate(doublings()):
        if scalar >> bit & 1:
            point = keybeat_trust._add(point, doubled)
    return keybeat_trust._encode(point)


@functools.lru_cache(maxsize=None)
def doublings() -> List[Any]:
    """The base point 1, 2, 4, 8 … times."""
    points = [keybeat_trust._base()]
    while len(points) < 256:
        points.append(keybeat_trust._add(points[-1], points[-1]))
    return points


def modulo_order(data: bytes) -> int:
    return int.from_bytes(hashlib.sha512(data).digest(), "little") % keybeat_trust._ORDER


def encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
