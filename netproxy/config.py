"""Limits and timeouts of the data plane, each with its reason. Settings may replace them."""

from __future__ import annotations

from otel.values import dataclass, fields, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one client may cost before it is refused."""

    # Envoy allows 60 KiB and squid 64 KiB of request head; browsers with large cookies stay below.
    head_bytes: int = 64 * 1024
    # RFC 9112 section 3 asks for at least 8000; longer targets carry data, not addresses.
    target_bytes: int = 16 * 1024
    # Envoy's default; more than a hundred fields is an attack or a bug.
    header_count: int = 100
    # A client that waits for a 100 and gets none: then we send it. curl waits that long, others
    # for ever, and an origin of HTTP/1.0 never sends one.
    continue_seconds: float = 1.0
    # From accept to a whole head. Local clients send it at once; a slow one holds a descriptor.
    head_seconds: float = 30.0
    # Between two requests of a kept connection, as squid's client_idle_pconn_timeout.
    keep_alive_seconds: float = 120.0
    # glibc tries two servers for five seconds twice; past that nobody waits.
    resolve_seconds: float = 10.0
    # All addresses together. curl gives up after 300 s, pip after 15 s for each try.
    connect_seconds: float = 10.0
    # RFC 8305 section 8 recommends 250 ms between connection attempts.
    attempt_delay_seconds: float = 0.25
    # A command that opens more is looping; browsers stay below 200.
    connections_per_run: int = 1024
    # All runs of one gateway. Each has two descriptors and some KiB: 16,384 take 160 MiB at most.
    connections_total: int = 16 * 1024
    # New connections. None where one run has the gateway to itself: it can only slow down itself.
    connections_per_second: float | None = None
    # Both directions of all its connections. None: whoever pays for traffic knows how much.
    bytes_per_run: int | None = None
    # Over one of these limits so many more are told so (429, 503); then accepting waits, so that a
    # command that opens and forgets can hold no more of the gateway's descriptors.
    refusals_per_run: int = 64
    # Kept for what those who are in already need: their origins, a journal segment, the resolver.
    # Squid keeps 100 back.
    descriptor_reserve: int = 64
    # From SIGTERM to the last connection: most requests are over in a second, and who restarts a
    # gateway waits for it. squid takes 30.
    drain_seconds: float = 5.0
    # Linux pipes hold 64 KiB: one read fills what the other side can take at once.
    relay_bytes: int = 64 * 1024
    # Below about a megabyte a pipe costs more than the copies it saves; most tunnels move less.
    splice_after_bytes: int = 1024 * 1024
    # What one move may hold. With 64 or 256 KiB a gigabyte takes 1.9 or 1.3 times the CPU.
    pipe_bytes: int = 1024 * 1024
    # So many directions may be moving at once, or be stuck in a slow receiver; others are copied.
    # Linux gives a user 64 MiB of pipes (/proc/sys/fs/pipe-user-pages-soft): half is left to him.
    pipes: int = 32
    # UDP ASSOCIATE: programs open one for each socket that they would have had; games and calls
    # have a handful. Each holds a connection besides.
    udp_associations_per_run: int = 64
    # A resolver has a few servers, a call some dozen candidates; a scanner has thousands.
    udp_peers_per_association: int = 64
    # Each is a descriptor, of 1024 that a process usually has.
    udp_flows_per_run: int = 256
    # While a person is asked or a name looked up: a request and its repetitions, not a stream.
    udp_held_datagrams: int = 4
    # RFC 4787 REQ-5: not below two minutes. Only what the client sends counts (REQ-6).
    udp_idle_seconds: float = 120.0
    # Then it is decided and looked up again, however busy it is: few names keep their addresses
    # for longer than that.
    udp_lifetime_seconds: float = 3600.0
    # What was refused is not judged again at once: resolvers repeat after 5 s (resolv.conf(5)),
    # everything else sooner.
    udp_refusal_seconds: float = 4.0
    # Connections to origins that rest between two plain requests, of a run. A browser keeps 6 for
    # each host; each is a descriptor of the gateway's.
    pool_connections: int = 64
    # How long one rests. squid's pconn_timeout; servers close theirs after 5 s (Apache, node) to
    # 75 s (nginx).
    pool_idle_seconds: float = 60.0
    # From its dial, however busy: then the name is looked up and its address checked anew. Most
    # names' addresses are good for five minutes or less.
    pool_lifetime_seconds: float = 300.0
    # A tunnel or a plain request without a byte. HAProxy's and envoy's hour: ssh sends keep-alives
    # more often.
    idle_seconds: float = 3600.0
    # A client that said its end may only have half-closed, and wait for its answer. nginx and squid
    # don't wait at all; an origin that says nothing for so long answers nobody who is still there.
    half_closed_seconds: float = 10.0
    # Longer than a working day, so that a forgotten tunnel ends some day; squid has the same.
    lifetime_seconds: float = 24 * 3600.0
    # Of a TLS client's first message. Go's and rustls' servers take no longer one; most have 2 KiB.
    hello_bytes: int = 64 * 1024
    # From its first byte. It comes in one piece or two; nothing else of the tunnel waits for it.
    hello_seconds: float = 10.0
    # Both directions of one tunnel together. None: how much a run may move is not ours to guess.
    tunnel_bytes: int | None = None
    # An unread answer to a refused client must not keep its socket for longer.
    linger_seconds: float = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLimits:
    """What a settings file says of them, by the same names. None: nothing."""

    connections_per_run: int | None = None
    connections_per_second: float | None = None
    connections_total: int | None = None
    bytes_per_run: int | None = None
    tunnel_bytes: int | None = None
    idle_seconds: float | None = None
    lifetime_seconds: float | None = None

    def over(self, limits: Limits) -> Limits:
        """Put what was chosen in place of those."""
        said = {field.name: getattr(self, field.name) for field in fields(self)}
        return replace(limits, **{name: value for name, value in said.items() if value is not None})
