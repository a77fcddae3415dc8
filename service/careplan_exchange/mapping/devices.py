"""Device, DeviceUseStatement (R4) and DeviceUsage (R5) to devices a person has: an implant, a pump, a sensor."""

from collections.abc import Iterator, Mapping

import msgspec

from careplan_exchange.model.record import Resource
from careplan_exchange.model.snapshot import Evidence, Fact, FactState

from .conditions import note_entered_in_error
from .context import Context
from .dates import latest
from .notes import a
from .references import held
from .understanding import facts_of, note_idea, note_not_used, understand
from .wire import CodeableConcept
from .wire_care import Device, DeviceUse, concepts_in, reference_in

_DEVICE = msgspec.json.Decoder(Device)
_USE = msgspec.json.Decoder(DeviceUse)


class Devices:
    """The devices of one record. `read` is called for each resource, `settle` once after the last: a statement on
    the use of a device decides over the Device itself, whichever came first."""

    def __init__(self, context: Context, devices: Mapping[str, Resource]) -> None:
        """`devices` are the Device resources of the record, by `Device/<id>`."""
        self._context = context
        self._devices = devices
        self._used: set[str] = set()

    def read(self, resource: Resource) -> Iterator[Fact]:
        """A use is read at once; a Device waits for `settle`."""
        if resource.type == "Device":
            return
        use = self._context.decode(resource, _USE)
        if use is None or not self._context.is_about_patient(resource, use.subject or use.patient):
            return
        reference = reference_in(use.device)
        known = held(reference or "", "Device", self._devices)
        standing = self._standing(resource, use.status)
        if standing is None:
            return
        # A use has begun by its start: its end may lie ahead.
        start = use.timing_period.start if use.timing_period is not None else None
        on, future = self._context.dated(
            resource, "timing", use.timing_date_time, start, use.recorded_on, use.date_asserted
        )
        if future and on is None:
            return
        ended, _ = self._context.dated(resource, "timing", *_past_end(use, self._context.today.isoformat()))
        state, active = standing
        concept = next(iter(concepts_in(use.device)), None)
        if concept is None and known is not None:
            device = self._context.decode(self._devices[known], _DEVICE)
            concept = _named(device) if device is not None else None
        if concept is None:
            self._context.note(
                resource,
                "device.missing",
                f"{a(resource.type)} refers to a Device that the record does not hold or that cannot be read.",
                code="not-found",
                expression=f"{resource.type}.device",
                mend="Look at the resource; read the type Device too.",
            )
            return
        understood = understand(self._context, resource, concept, ("device",), f"{resource.type}.device")
        inputs: tuple[Evidence, ...] = ()
        if understood.readings and known is not None:
            self._used.add(known)
            used = self._devices[known]
            inputs = (Evidence(reference=used.reference, version_id=used.version_id),)
        active = active and ended is None
        for fact in facts_of(self._context, resource, understood, on, state=state, active=active):
            yield msgspec.structs.replace(fact, inputs=inputs)

    def settle(self) -> Iterator[Fact]:
        """The Devices that no use speaks of."""
        for reference, resource in self._devices.items():
            if reference in self._used:
                continue
            device = self._context.decode(resource, _DEVICE)
            if device is None:
                continue
            if device.patient is None:
                self._context.note(
                    resource,
                    "device.unassigned",
                    "A Device names no patient and no statement says who uses it, so nothing of it was used.",
                    severity="information",
                    code="informational",
                    expression="Device.patient",
                )
                continue
            if not self._context.is_about_patient(resource, device.patient):
                continue
            if device.status == "entered-in-error":
                note_entered_in_error(self._context, resource)
                continue
            active = device.status in (None, "active")
            if not active and device.status not in ("inactive", "unknown"):
                note_not_used(self._context, resource, device.status, ())
                continue
            understood = understand(self._context, resource, _named(device), ("device",), "Device.type")
            yield from facts_of(
                self._context,
                resource,
                understood,
                None,
                state="unknown" if device.status == "unknown" else "present",
                active=device.status != "inactive",
            )

    def _standing(self, resource: Resource, status: str | None) -> tuple[FactState, bool] | None:
        if status == "entered-in-error":
            note_entered_in_error(self._context, resource)
            return None
        if status == "intended":
            note_idea(self._context, resource, "an intention", "status")
            return None
        if status == "active":
            return "present", True
        if status in ("completed", "stopped"):
            return "present", False
        if status == "on-hold":
            return "unknown", True
        note_not_used(self._context, resource, status, ("not-done",))
        return None


def _past_end(use: DeviceUse, today: str) -> Iterator[str | None]:
    end = next(iter(latest(use.timing_period)), None)
    if end is not None and end[:10] < today:
        yield end


def _named(device: Device) -> CodeableConcept:
    """Its types and its names as one concept: whichever is known counts."""
    types = concepts_in(device.type)
    codings = tuple(coding for concept in types for coding in concept.coding)
    texts = [concept.text for concept in types if concept.text]
    texts += [text for name in (*device.device_name, *device.name) if (text := name.name or name.value)]
    return CodeableConcept(coding=codings, text=texts[0] if texts else None)
