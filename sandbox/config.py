"""Times and sizes of the sandbox, each with its reason."""

from __future__ import annotations

# Between SIGTERM to the command's group and SIGKILL to its namespace: enough for a trap to run
# and flush, short enough that a refused command does not go on (design section 7).
GRACE_SECONDS = 0.05
# bwrap builds the namespaces in 5-9 ms; a loaded CI machine may take a hundred times that.
BUILD_SECONDS = 10.0
# The monitor is an interpreter start away (15 ms); the same margin.
MONITOR_SECONDS = 10.0
# bwrap closes its channels when it fails and is gone within milliseconds; then its words are whole.
FAILURE_SECONDS = 1.0
# Everything in a killed PID namespace is gone within milliseconds; longer means a stuck device.
REAP_SECONDS = 5.0
# The kernel holds 8 KiB of unread output of a pseudo-terminal (drivers/tty/pty.c) and 4 KiB more in
# its line discipline; what comes after that was written by somebody who is still writing.
UNREAD_BYTES = 64 * 1024
# What a terminal line discipline and a pipe hold; larger reads don't come.
TERMINAL_BYTES = 64 * 1024
# Nominal ports inside the sandbox's own network namespace: squid's and SOCKS' registered ones.
HTTP_PORT = 3128
SOCKS_PORT = 1080
# Where the rules of capture lead. Below 1024, so that no server of the command can want them: 53
# is DNS' own, and 1023 is one that IANA keeps free of services.
DNS_PORT = 53
CAPTURE_PORT = 1023
# Of NFLOG; the namespace has no other. 64 bytes hold the addresses and ports of IPv6, too.
REJECTED_GROUP = 1
REJECTED_SNAP_BYTES = 64
# The kernel does what netlink asks for while it is asked; a loaded machine may take a while.
NETLINK_SECONDS = 5.0
# What is on a port of the sandbox's own loopback that nobody else can have there.
RESERVED_PORTS = {
    HTTP_PORT: "the HTTP proxy's",
    SOCKS_PORT: "the SOCKS proxy's",
    DNS_PORT: "the resolver's",
    CAPTURE_PORT: "that of captured connections",
}
# somaxconn's default: bursts of a parallel installer stay below.
LISTEN_BACKLOG = 4096
