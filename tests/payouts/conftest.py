import pytest

from tests.activities.program import Connection
from tests.payouts.shop import Desk


@pytest.fixture
def desk(connection: Connection) -> Desk:
    """A program that pays cash back, with an account to pay from."""
    return Desk(connection)
