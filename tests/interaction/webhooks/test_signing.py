from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from services.interaction.webhooks import signing

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
HOOK, OTHER = UUID(int=1), UUID(int=2)


def of(secrets, place=0, hook=HOOK, installation="key") -> str:
    return signing.shown(signing.secret_of(installation, hook, secrets[place]["nonce"]))


def test_a_signature_is_one_that_the_library_takes():
    now, secrets = datetime.now(UTC), signing.first()
    headers = signing.signed("key", HOOK, secrets, "m-1", '{"名": 1}'.encode(), now)
    assert Webhook(of(secrets)).verify('{"名": 1}', headers) == {"名": 1}
    for wrong in (
        {"data": '{"名": 2}'},
        {"headers": headers | {"webhook-id": "m-2"}},
        {"headers": headers | {"webhook-timestamp": str(int(now.timestamp()) + 1)}},
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(of(secrets)).verify(**{"data": '{"名": 1}', "headers": headers} | wrong)


def test_a_secret_is_of_one_endpoint_of_one_installation():
    secrets = signing.first()
    all_ = {
        of(secrets),
        of(secrets, hook=OTHER),
        of(secrets, installation="x"),
        of(signing.first()),
    }
    assert len(all_) == 4
    assert len(signing.secret_of("key", HOOK, "00")) == 32  # the Standard wants 24 to 64 bytes


def test_an_old_secret_signs_beside_the_new_one_for_a_day():
    old = signing.first()
    both = signing.rotated(old, NOW)
    assert both[1]["nonce"] == old[0]["nonce"]
    assert signing.until(both, NOW) == NOW + timedelta(hours=24)
    signatures = signing.signed("key", HOOK, both, "m", b"{}", NOW)["webhook-signature"].split(" ")
    assert signatures == [Webhook(of(both, place)).sign("m", NOW, "{}") for place in (0, 1)]
    later = NOW + timedelta(hours=24)
    assert signing.until(both, later) is None
    alone = signing.signed("key", HOOK, both, "m", b"{}", later)["webhook-signature"]
    assert alone == Webhook(of(both)).sign("m", later, "{}")


def test_rotated_again_and_again():
    secrets = signing.first()
    for n in range(10):
        secrets = signing.rotated(secrets, NOW + timedelta(hours=n))
    assert len(secrets) == signing.MOST_SECRETS
    assert [one["until"] is None for one in secrets] == [True, False, False, False, False]
    assert len(signing.rotated(secrets, NOW + timedelta(days=9))) == 2


def test_the_newest_always_signs():
    secrets = signing.first()
    assert signing.valid(secrets, NOW + timedelta(days=9999)) == secrets
