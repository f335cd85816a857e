"""What a record shows beyond the stored row, drawn from the number: always the same for one person."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import date

from .bank import invented_iban, mask
from .names import DOCTOR_FIRST_NAMES, FAMILY_NAMES
from .places import DEPARTMENT_NAMES
from .store import Person

MONTHS_SHOWN = 6

# Name, price in cents, rate of the compulsory insurance, youngest age it is given at.
_OCCASIONAL = (
    ("Paracétamol 2,4 %, suspension buvable", 221, 65, 0),
    ("Amoxicilline 500 mg/5 ml, suspension", 387, 65, 0),
    ("Sérum physiologique, 40 unidoses", 353, 60, 0),
    ("Colécalciférol 100 000 UI, 1 ampoule", 221, 30, 0),
    ("Salbutamol 100 µg, flacon 200 doses", 467, 65, 4),
    ("Cétirizine 10 mg, 15 comprimés", 327, 30, 6),
    ("Paracétamol 1 g, 8 comprimés", 216, 65, 16),
    ("Amoxicilline 1 g, 14 comprimés", 612, 65, 16),
    ("Prednisolone 20 mg, 20 comprimés", 402, 65, 16),
    ("Macrogol 10 g, 20 sachets", 511, 30, 16),
    ("Ésoméprazole 20 mg, 28 gélules", 534, 65, 18),
    ("Ibuprofène 400 mg, 30 comprimés", 285, 65, 16),
    ("Fosfomycine 3 g, 1 sachet", 432, 65, 18),
    ("Phloroglucinol 80 mg, 10 comprimés", 198, 15, 16),
)
_FOR_CHILDREN_ONLY = 2
_LASTING = (
    ("Béclométasone 250 µg, flacon 200 doses", 1683, 65, 6),
    ("Lévothyroxine 75 µg, 30 comprimés", 228, 65, 25),
    ("Sertraline 50 mg, 28 gélules", 614, 65, 25),
    ("Metformine 1 000 mg, 30 comprimés", 342, 65, 40),
    ("Ramipril 5 mg, 30 comprimés", 487, 65, 45),
    ("Amlodipine 5 mg, 30 comprimés", 446, 65, 45),
    ("Atorvastatine 20 mg, 30 comprimés", 548, 65, 45),
    ("Bisoprolol 2,5 mg, 30 comprimés", 391, 65, 50),
    ("Acétylsalicylate de lysine 75 mg, 30 sachets", 268, 65, 50),
    ("Apixaban 5 mg, 60 comprimés", 5724, 65, 60),
    ("Latanoprost 50 µg/ml, collyre", 802, 65, 60),
)
_ACTS = (
    ("Consultation généraliste", 3000, 70),
    ("Analyses de biologie", 2754, 60),
    ("Soins infirmiers", 1435, 60),
    ("Masso-kinésithérapie", 1698, 60),
    ("Radiographie", 3990, 70),
)
_INSURERS = (
    "Mutuelle des Deux Rives",
    "Prévoyance du Littoral",
    "Mutuelle Saint-Aubin",
    "Entraide des Métiers",
    "Mutuelle du Val Clair",
    "Santé Solidaire du Centre",
    "Mutuelle des Artisans Réunis",
    "Union Familiale de l’Est",
)


@dataclass(frozen=True)
class Reimbursement:
    """One line of the statement: amounts in cents, rate in per cent."""

    day: date
    label: str
    prescriber: str
    cents: int
    rate: int
    paid: int
    complementary: int


@dataclass(frozen=True)
class Details:
    """What belongs to a person's record and is not stored."""

    age: int
    birthplace: str
    birth_rank: int
    fund: str
    fund_code: str
    rights_until: date
    long_illness_until: date | None
    insurer: str | None
    member_number: str | None
    doctor: str
    doctor_town: str
    phone: str
    iban: str
    card_updated: date
    reimbursements: list[Reimbursement]


def details(person: Person, today: date) -> Details:
    """Return what the record of `person` shows on the day `today`."""
    rng = random.Random(person.nir)
    doctor = _doctor(person.postcode, rng)
    fund, fund_code = _fund(person.postcode)
    insured = person.cover == "AMC"
    return Details(
        age=_age(person.birth_date, today),
        birthplace=_birthplace(person.nir),
        birth_rank=1 if rng.random() < 0.98 else 2,
        fund=fund,
        fund_code=fund_code,
        rights_until=date(today.year, 12, 31) if person.rights_open else date(today.year - 1, 12, 31),
        long_illness_until=_next_end(rng, today) if person.long_illness else None,
        insurer=rng.choice(_INSURERS) if insured else None,
        member_number=f"{rng.randrange(10**8, 10**9)}" if insured else None,
        doctor=doctor,
        doctor_town=person.town,
        # 06 39 98 is a range that the French numbering plan keeps for fiction.
        phone=f"06 39 98 {rng.randrange(100):02d} {rng.randrange(100):02d}",
        iban=mask(invented_iban(rng)),
        card_updated=_month_back(today, rng.randrange(1, 11)).replace(day=rng.randrange(1, 28)),
        reimbursements=_reimbursements(person, doctor, today),
    )


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _birthplace(number: str) -> str:
    code = number[5:8] if number[5:7] == "97" else number[5:7]
    return "À l’étranger" if code == "99" else f"{DEPARTMENT_NAMES[code]} ({code})"


def _doctor(postcode: str, rng: random.Random) -> str:
    # Six practices a town: people of one town share their doctors.
    practice = random.Random(f"{postcode} {rng.randrange(6)}")
    return f"Dr {practice.choice(DOCTOR_FIRST_NAMES)} {practice.choice(FAMILY_NAMES)}"


def _fund(postcode: str) -> tuple[str, str]:
    code = postcode[:3] if postcode.startswith("97") else postcode[:2]
    if code == "20":
        code = "2B" if postcode >= "20200" else "2A"
    kind = "CGSS" if len(code) == 3 else "CPAM"
    return f"{kind} {DEPARTMENT_NAMES[code]}", f"01 {code[-2:] if len(code) == 3 else code}1 0000"


def _next_end(rng: random.Random, today: date) -> date:
    end = date(today.year, rng.randrange(1, 13), rng.randrange(1, 28))
    years = (rng.randrange(5) - today.year) % 5
    end = end.replace(year=today.year + years)
    return end if end >= today else end.replace(year=end.year + 5)


def _month_back(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


def _reimbursements(person: Person, doctor: str, today: date) -> list[Reimbursement]:
    lines = []
    age = _age(person.birth_date, today)
    lasting = _lasting(person, age)
    for back in range(MONTHS_SHOWN):
        first = _month_back(today, back)
        # One seed a month, so that what was shown last week is still shown, with what came since.
        rng = random.Random(f"{person.nir} {first:%Y-%m}")
        if lasting:
            day = first.replace(day=rng.randrange(1, 28))
            lines += [_line(day, name, doctor, cents, rate, True, person) for name, cents, rate, _ in lasting]
        for _ in range(rng.choices((0, 1, 2), weights=(5, 3, 1))[0]):
            lines += _visit(rng, person, age, doctor, first.replace(day=rng.randrange(1, 28)))
    return sorted((line for line in lines if line.day <= today), key=lambda line: line.day, reverse=True)


def _lasting(person: Person, age: int) -> list[tuple[str, int, int, int]]:
    """What the person takes every month: more with age and with a long illness."""
    rng = random.Random(f"{person.nir} lasting")
    fitting = [medicine for medicine in _LASTING if age >= medicine[3]]
    wanted = int(person.long_illness) + sum(rng.random() < age / 130 for _ in range(3)) - (age < 40)
    return rng.sample(fitting, max(0, min(wanted, len(fitting))))


def _visit(rng: random.Random, person: Person, age: int, doctor: str, day: date) -> list[Reimbursement]:
    shown = _OCCASIONAL if age < 10 else _OCCASIONAL[_FOR_CHILDREN_ONLY:]
    shelf = [medicine for medicine in shown if age >= medicine[3]]
    lines = [
        _line(day, name, doctor, cents, rate, True, person)
        for name, cents, rate, _ in rng.sample(shelf, rng.randrange(1, 3))
    ]
    if rng.random() < 0.7:
        name, cents, rate = rng.choice(_ACTS)
        lines.insert(0, _line(day, name, doctor, cents, rate, False, person))
    return lines


def _line(day: date, label: str, doctor: str, cents: int, rate: int, medicine: bool, person: Person) -> Reimbursement:
    rate = 100 if person.long_illness else rate
    exempt = person.cover == "CSS" or (day.year - person.birth_date.year) < 18
    # The insured pay one euro for each box and two for each consultation themselves.
    own_share = 0 if exempt else 100 if medicine else 200
    base = round(cents * rate / 100)
    paid = max(0, base - own_share)
    return Reimbursement(day, label, doctor, cents, rate, paid, cents - base if person.cover else 0)
