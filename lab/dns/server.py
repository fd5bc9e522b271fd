"""A small DNS server, over UDP and TCP: hosted zones' records, and the load balancers' own DNS names.

It answers for what the corrected Route 53 has spread by now; a change that is still PENDING is not seen.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from socketserver import BaseRequestHandler, StreamRequestHandler, ThreadingTCPServer, ThreadingUDPServer

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from dns.exception import DNSException

from lab.fidelity.route53_answers import Answer, Record
from lab.machine.serving import serving

Resolve = Callable[[str, str], Answer | None]
"""What answers a name (with a full stop) and a type; None: nobody knows the name."""

UDP_BYTES = 512
ELB_TTL = 60


@dataclass(frozen=True)
class DnsServer:
    """Where the server answers."""

    address: str
    port: int


@contextmanager
def open_dns(address: str, resolve: Resolve, port: int = 0) -> Iterator[DnsServer]:
    """Answer DNS questions at an address, over UDP and TCP at one port, until the block ends."""

    class Datagram(BaseRequestHandler):
        def handle(self) -> None:
            asked, sock = self.request
            if answered := reply(asked, resolve, UDP_BYTES):
                sock.sendto(answered, self.client_address)

    class Stream(StreamRequestHandler):
        timeout = 5

        def handle(self) -> None:
            size = self.rfile.read(2)
            if len(size) == 2 and (
                answered := reply(self.rfile.read(struct.unpack("!H", size)[0]), resolve, 65535)
            ):
                self.wfile.write(struct.pack("!H", len(answered)) + answered)

    class Udp(ThreadingUDPServer):
        daemon_threads = True

    class Tcp(ThreadingTCPServer):
        daemon_threads = True
        allow_reuse_address = True

    with ExitStack() as stack:
        tcp = Tcp((address, port), Stream)
        bound = int(tcp.server_address[1])
        stack.enter_context(serving(tcp, "dns-tcp"))
        stack.enter_context(serving(Udp((address, bound), Datagram), "dns-udp"))
        yield DnsServer(address, bound)


def reply(asked: bytes, resolve: Resolve, limit: int) -> bytes | None:
    """Return the answer to a query on the wire, of at most `limit` bytes; None to what is no query."""
    try:
        query = dns.message.from_wire(asked)
    except DNSException:
        return None
    if query.flags & dns.flags.QR or len(query.question) != 1:
        return None
    question = query.question[0]
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    found = resolve(question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype))
    if found is None:
        response.set_rcode(dns.rcode.REFUSED)
        return response.to_wire()
    response.set_rcode(dns.rcode.from_text(found.code))
    for record in found.records:
        _add(response, record)
    wire = response.to_wire(max_size=65535)
    if len(wire) <= limit:
        return wire
    response.answer.clear()
    response.flags |= dns.flags.TC  # the client asks again over TCP: RFC 7766
    return response.to_wire()


def by_name(hosts: Callable[[str], Sequence[str]], zones: Resolve) -> Resolve:
    """Resolve the load balancers' own DNS names by their addresses, everything else by the hosted zones."""

    def resolve(name: str, type_: str) -> Answer | None:
        addresses = hosts(name.rstrip("."))
        if not addresses:
            return zones(name, type_)
        found = addresses if type_ == "A" else ()
        return Answer("NOERROR", tuple(Record(name, "A", ELB_TTL, address) for address in found))

    return resolve


def look_up(server: DnsServer, name: str, type_: str = "A", timeout: float = 5.0) -> Sequence[str]:
    """Return the values that the server answers for a name, none when there are none.

    Raises OSError when it does not answer in time (seconds) or refuses.
    """
    query = dns.message.make_query(name, type_)
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as sock:
        sock.settimeout(timeout)
        sock.sendto(query.to_wire(), (server.address, server.port))
        response = dns.message.from_wire(sock.recv(65535))
    if response.rcode() not in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
        raise OSError(f"{name}: the DNS server answered {dns.rcode.to_text(response.rcode())}")
    wanted = dns.rdatatype.from_text(type_)
    return [item.to_text() for found in response.answer if found.rdtype == wanted for item in found]


def _add(response: dns.message.Message, record: Record) -> None:
    line = dns.rrset.from_text(record.name, record.ttl, "IN", record.type, record.value)
    for present in response.answer:
        if (present.name, present.rdtype) == (line.name, line.rdtype):
            for item in line:
                present.add(item)
            return
    response.answer.append(line)
