"""stub"""

from simulators.sap.books import Books
from simulators.sap.call import Call
from simulators.sap.messages import not_found
from simulators.sap.odata import Answer


def read_v4(books: Books, call: Call) -> Answer:
    raise not_found(call.path)
