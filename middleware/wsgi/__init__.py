"""When: the WSGI protocol (PEP 3333), written once, for one layer or for twenty.

Everything that knows start_response, write, iteration, close or exc_info lives here. No policy does.
"""
