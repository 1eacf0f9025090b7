"""What the simulated SAP refuses with: message codes, their texts, and the exception that carries one to the client.

docs/simulators-sap.md says which codes are the original's and which are this simulator's own choice.
"""

from dataclasses import dataclass

BUSINESS_CONTAINER = "/IWBEP/CX_MGW_BUSI_EXCEPTION"
DOCUMENT_CONTAINER = "MM_IM_ODATA_API_MDOC/014"

LOCKED = "ME/006"
DEFICIT = "M7/021"
PERIOD_CLOSED = "M7/053"
REPEATED = "/IWBEP/CM_COS/005"

TEXTS = {
    DEFICIT: "Deficit of SL Unrestricted-use 1 PC",
    PERIOD_CLOSED: "Posting only possible in periods that are open",
    LOCKED: "Order is locked by user GUI_USER",
    "M7/001": "Check table: entry does not exist",
    "M8/147": "Account determination for entry is not possible",
    "M7/175": "Maintain serial numbers for the total quantity",
    "M7/360": "Material does not match the order",
    "RU/505": "Backflush: components are missing",
    REPEATED: "Request id is outdated: it was processed before, but its result is no longer stored",
}


@dataclass(frozen=True)
class Detail:
    """One line of `innererror.errordetails`."""

    code: str
    message: str
    severity: str = "error"
    propertyref: str = ""
    target: str = ""


class Refusal(Exception):
    """SAP says no and nothing is posted. `container` replaces the top-level code, as the original's wrappers do."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = 400,
        container: str = "",
        target: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.container = container
        self.target = target
        self.headers = headers or {}

    @property
    def details(self) -> tuple[Detail, ...]:
        return (Detail(self.code, self.message, target=self.target),)

    def inside(self, container: str) -> "Refusal":
        """The same refusal with its real code hidden in `errordetails` behind a container code."""
        return Refusal(
            self.code,
            self.message,
            status=self.status,
            container=self.container or container,
            target=self.target,
            headers=self.headers,
        )


def not_found(what: str) -> Refusal:
    return Refusal("/IWBEP/CM_MGW_RT/020", f"Resource not found for segment '{what}'", status=404)


def method_not_allowed(method: str, name: str) -> Refusal:
    text = f"Method '{method}' is not supported for '{name}'"
    return Refusal("/IWBEP/CM_MGW_RT/021", text, status=405, headers={"allow": "GET"})


def service_unknown(service: str, status: int = 403) -> Refusal:
    """Also what a service answers that nobody has activated."""
    text = f"No service found for namespace '', name '{service}', version '0001'"
    return Refusal("/IWFND/MED/170", text, status=status)


def bad_property(name: str, value: object) -> Refusal:
    text = f"Property '{name}' has invalid value '{value}'"
    return Refusal("/IWCOR/CX_DS_EP_PROPERTY_ERROR", text, target=name)


def order_locked(order: str, answer: str) -> Refusal:
    """`answer` is the setting `lock_answer`: the HTTP status 423, or a 400 that carries ME/006."""
    text = f"Order {order} is locked by user GUI_USER"
    if answer == LOCKED:
        return Refusal(LOCKED, text, container=BUSINESS_CONTAINER)
    return Refusal("/IWBEP/CM_MGW_RT/423", text, status=423)
