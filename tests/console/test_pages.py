"""Every page answers, for whom it is, with what is in the ledger."""

from __future__ import annotations

from tests.console.house import NORTH, House
from tests.console.visits import signed_in


async def test_every_page_answers_in_both_languages(house: House) -> None:
    hold = await house.hold()
    pages = ["/", "/?all=1", "/flows"] + [
        f"/p/{NORTH}/{part}"
        for part in ("lines", "orders", "orders/1000017", "holds", f"holds/{hold}", f"holds/{hold}/label", "cases")
    ]
    async with signed_in(house, "engineer-1") as client:
        for page in pages:
            for language in ("en", "de"):
                answer = await client.get(page, headers={"accept-language": language})
                assert answer.status_code == 200, (page, answer.text[-2000:])
                assert f'lang="{language}"' in answer.text
        code = await client.get(f"/p/{NORTH}/holds/{hold}/code.svg")
        assert code.headers["content-type"].startswith("image/svg")
        assert "<svg" in code.text
