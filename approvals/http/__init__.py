"""The HTTP application on which the API, the web inbox and the webhooks' replies are mounted.

`make_application` makes it, `HttpServer` serves it on loopback ports and local sockets. aiohttp is
imported here and below only: whoever starts fast imports this package late.
"""
