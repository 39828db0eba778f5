"""A mail server that asks for TLS and a login, and has a mail on disk before it says so.

server.py FOLDER STARTTLS_PORT TLS_PORT: the first port asks for STARTTLS and offers PLAIN and
LOGIN, the second is TLS from the first byte and offers LOGIN alone. A mail is a file below the
folder, in one that is named by its first recipient.
"""

import asyncio
import os
import ssl
import sys
import uuid

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

LARGEST = 32_768
USER, PASSWORD = b"sidearm", b"correct horse"


class Keeper:
    def __init__(self, folder):
        self.folder = folder

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("nobody@"):
            return "550 5.1.1 no such user here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 ok"

    async def handle_DATA(self, server, session, envelope):
        if b"refuse-me" in envelope.content:
            return "554 5.7.1 the content is refused"
        self.keep(envelope)
        return "250 2.0.0 kept"

    def keep(self, envelope):
        place = os.path.join(self.folder, envelope.rcpt_tos[0].partition("@")[0])
        os.makedirs(place, exist_ok=True)
        name = os.path.join(place, uuid.uuid4().hex)
        with open(name + ".new", "wb") as file:
            file.write(f"X-Kept-For: {', '.join(envelope.rcpt_tos)}\r\n".encode())
            file.write(envelope.content)
            file.flush()
            os.fsync(file.fileno())
        os.rename(name + ".new", name + ".eml")
        folder = os.open(place, os.O_DIRECTORY)
        os.fsync(folder)
        os.close(folder)


def authenticate(server, session, envelope, mechanism, data):
    is_known = isinstance(data, LoginPassword) and data == LoginPassword(USER, PASSWORD)
    # Not handled: the library gives the answer, 535 where it is refused.
    return AuthResult(success=is_known, handled=False)


async def serve(folder, starttls_port, tls_port):
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(os.path.join(folder, "server.crt"), os.path.join(folder, "server.key"))
    loop, keeper = asyncio.get_running_loop(), Keeper(folder)
    common = {"data_size_limit": LARGEST, "hostname": "localhost", "loop": loop}
    common |= {"auth_required": True, "authenticator": authenticate}

    def starttls():
        return SMTP(keeper, tls_context=context, require_starttls=True, **common)

    def tls():
        # The library knows of no TLS but STARTTLS.
        login = {"auth_require_tls": False, "auth_exclude_mechanism": ["PLAIN"]}
        return SMTP(keeper, **common, **login)

    await loop.create_server(starttls, "127.0.0.1", starttls_port)
    await loop.create_server(tls, "127.0.0.1", tls_port, ssl=context)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
