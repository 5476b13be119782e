"""What a refusal of the operating system means for a run, and what to do about it. Pure."""

from __future__ import annotations

import errno

_ADVICE = {
    errno.EMFILE: "more files may have to be open: ulimit -n",
    errno.ENFILE: "this host has no more open files to give: sysctl fs.file-max",
    errno.EAGAIN: "no more processes may be started: end some, or raise ulimit -u (in a container: "
    "--pids-limit)",
    errno.ENOMEM: "there is no memory for it: free some, or raise the container's limit",
    errno.ENOSPC: "the disk is full, or the host's limit on namespaces or watches is reached",
    errno.EFBIG: "files may not get that big here: raise the limit (ulimit -f)",
    errno.EROFS: "the disk can't be written: name a folder that can (--audit-dir; XDG_RUNTIME_DIR)",
    errno.E2BIG: "command and plan are longer than the kernel takes (execve(2)): ulimit -s",
    errno.EACCES: "netproxy's own files must be readable for this user",
}


def in_words(error: BaseException) -> str:
    """The error as it says itself, and advice where there is some."""
    advice = _ADVICE.get(error.errno or 0) if isinstance(error, OSError) else None
    return str(error) if advice is None else f"{error}; {advice}"
