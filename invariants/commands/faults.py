"""python -m invariants faults MODEL: which faults its claims and its baseline would catch."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable

from geometric_invariants.fixtures import options as kinds
from geometric_invariants.fixtures.errors import InputError
from geometric_invariants.fixtures.faults import BENIGN, FAULTS, KINDS, Fault
from geometric_invariants.invariants.claims import load_claims
from geometric_invariants.invariants.commands.opening import opened
from geometric_invariants.invariants.experiments.faults import Detection, Trial
from geometric_invariants.invariants.verdicts import Settings
from geometric_invariants.reports.files import write_atomically
from geometric_invariants.reports.options import output_file

_NAMED = 3  # claims in a cell of the table


def faults(arguments: list[str]) -> None:
    """Break a model in every way that applies, and print which its claims and baseline catch.

    Only claims that need no forward pass take part; each broken copy is a folder of its own for as
    long as it is measured.
    """
    parser = argparse.ArgumentParser(prog="python -m invariants faults", description=faults.__doc__)
    parser.add_argument("model", metavar="ID[=SOURCE]")
    parser.add_argument(
        "--only",
        metavar="KIND,NAME",
        default="",
        help=f"kinds ({', '.join(KINDS[1:])}) or names of faults, parted by commas",
    )
    parser.add_argument(
        "--benign",
        action="store_true",
        help="changes that are no faults, instead: what is caught is a false alarm",
    )
    parser.add_argument("--device", type=kinds.device, default="auto")
    parser.add_argument("--seed", type=kinds.at_least(0), default=0)
    parser.add_argument("--json", type=output_file, metavar="FILE", help="write the table as JSON")
    options = parser.parse_args(arguments)
    chosen = select(options.only, BENIGN if options.benign else FAULTS)
    model = opened(options.model, options.device)
    with Trial(model, load_claims().values(), Settings(seed=options.seed)) as trial:
        print(f"{model.id}: {len(trial.claims)} claims read the weights alone")
        if trial.failing:
            print(f"failed by the sound model, left out: {', '.join(trial.failing)}")
        print(_row("fault", "kind", "without a baseline", "with the baseline"))
        found = []
        for detection in trial.run(chosen, options.seed):
            print(_line(detection), flush=True)
            found.append(detection)
        print("\n".join(_summary(found, len(chosen), benign=options.benign)))
        if options.json:
            write_atomically(options.json, _json(model.id, trial, found, options.seed))


def select(only: str, among: Iterable[Fault]) -> list[Fault]:
    """The faults whose kind or name stands in a list parted by commas; all of them for "".

    Raises InputError for a word that is neither.
    """
    known, words = list(among), [word for word in only.split(",") if word]
    for word in words:
        if not any(word in (fault.name, fault.kind) for fault in known):
            raise InputError(
                f"--only {word}: no such fault; use a kind ({', '.join(KINDS)}) or a name that the"
                " table prints"
            )
    return [f for f in known if not words or f.name in words or f.kind in words]


def _line(found: Detection) -> str:
    fault = found.fault
    if found.refused:
        return _row(fault.name, fault.kind, "refused", found.refused)
    return _row(fault.name, fault.kind, _claims(found.alone), _claims(found.compared))


def _row(fault: str, kind: str, alone: str, compared: str) -> str:
    return f"{fault:<34} {kind:<6} {alone:<40} {compared}".rstrip()


def _claims(failed: Iterable[str]) -> str:
    names = list(failed)
    more = f" + {len(names) - _NAMED}" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more if names else "–"


def _summary(found: list[Detection], chosen: int, *, benign: bool) -> list[str]:
    """How many were caught, which were not, and how many do not apply."""
    alone = [f for f in found if f.is_caught_alone]
    compared = [f for f in found if f.is_caught]
    count = len(found)
    line = (
        f"{'alarms' if benign else 'caught'} without a baseline {_share(len(alone), count)},"
        f" with it {_share(len(compared), count)};"
        f" {chosen - count} of {chosen} do not apply to this model"
    )
    if benign:
        return [line]
    missed = {
        "without a baseline": [f.fault for f in found if not f.is_caught_alone],
        "with it": [f.fault for f in found if not f.is_caught],
    }
    return [line, *(text for name, these in missed.items() for text in _missed(name, these))]


def _missed(name: str, these: list[Fault]) -> list[str]:
    """A line for each kind of what was missed."""
    by_kind = ((kind, [f.name for f in these if f.kind == kind]) for kind in KINDS)
    lines = [f"  {kind}: {', '.join(names)}" for kind, names in by_kind if names]
    return [f"missed {name}{':' if lines else ': none'}", *lines]


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole}" + (f" ({part / whole:.1%})" if whole else "")


def _json(model: str, trial: Trial, found: list[Detection], seed: int) -> str:
    rows = [
        {
            "name": one.fault.name,
            "kind": one.fault.kind,
            "source": one.fault.source,
            "what": one.fault.what,
            "without_baseline": dict(one.alone),
            "with_baseline": dict(one.compared),
            "refused": one.refused,
        }
        for one in found
    ]
    content = {"model": model, "seed": seed, "claims": trial.claims, "faults": rows}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
