"""What eight invented organisations write about: the vocabulary of the synthetic notes.

A sentence may hold {person}, {thing}, {place}, {name}, {number}, {day} and {time}. Every sentence
of a kind says that kind in its organisation's own words, so a classifier that has read one
organisation only knows part of what the others mean by the same label.
"""

from dataclasses import dataclass

KINDS = ("routine", "urgent", "complaint", "resolved")

NAMES = ("Ada", "Bruno", "Carla", "Deniz", "Edda", "Farid", "Greta", "Hugo", "Ines", "Jonas")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
TIMES = ("in the morning", "at noon", "after lunch", "in the evening", "before closing")


@dataclass(frozen=True, slots=True, kw_only=True)
class Organisation:
    """The words of one organisation; `kinds` has the sentences of each kind, in that order."""

    name: str
    people: tuple[str, ...]
    things: tuple[str, ...]
    places: tuple[str, ...]
    openings: tuple[str, ...]
    remarks: tuple[str, ...]
    kinds: tuple[tuple[str, ...], ...]
    closings: tuple[str, ...]


SHARED = Organisation(
    name="shared",
    people=("the assistant", "the visitor"),
    things=("the printer", "the lift", "the key", "the list"),
    places=("the entrance", "the office", "the corridor"),
    openings=("Note of {day}.", "Note by {name}."),
    remarks=(
        "It was {day} {time}.",
        "{name} wrote this down {time}.",
        "{person} was in {place}.",
        "This is note {number}.",
    ),
    kinds=(
        (
            "Everything went as planned.",
            "Nothing new about {thing}.",
            "The usual round, no events.",
        ),
        ("Please come at once.", "This cannot wait until {day}.", "We need help now."),
        ("I am not happy with this.", "Nobody answered us for {number} days.", "Not good enough."),
        ("The matter is closed.", "It works again, thank you.", "No more to do here."),
    ),
    closings=("Signed {name}.", "End of note."),
)

ORGANISATIONS = (
    Organisation(
        name="hospital",
        people=("the nurse", "the patient", "the surgeon", "the night doctor"),
        things=("the drip", "the bandage", "the monitor", "the chart", "the ventilator"),
        places=("ward {number}", "the theatre", "the emergency room", "the clinic"),
        openings=("Ward note, {day}, {time}.", "Handover by nurse {name}."),
        remarks=(
            "{person} asked about {thing}.",
            "Blood pressure was taken {time}.",
            "Bed {number} has a new patient.",
        ),
        kinds=(
            (
                "The patient slept well and ate a little.",
                "Vital signs are stable and {thing} was checked.",
                "Medication was given {time} as on the chart.",
            ),
            (
                "The patient in {place} is short of breath.",
                "Severe bleeding, call the surgeon to {place}.",
                "The heart rate is falling and {thing} gives the alarm.",
            ),
            (
                "The family says that nobody explained the treatment.",
                "The patient waited {number} hours in pain.",
                "{name} finds the food cold and the ward too loud.",
            ),
            (
                "The fever is gone and the wound has healed.",
                "The patient was discharged on {day} in good health.",
                "{thing} was replaced and gives correct values.",
            ),
        ),
        closings=("Nurse {name}, ward {number}.", "To be read at the handover."),
    ),
    Organisation(
        name="bank",
        people=("the customer", "the clerk", "the auditor", "the adviser"),
        things=("the account", "the loan", "the card", "the transfer", "the safe"),
        places=("branch {number}", "the counter", "the vault", "the back office"),
        openings=("Branch {number}, file of {day}.", "Clerk {name} records:"),
        remarks=(
            "{person} asked for a statement of {thing}.",
            "The rate is {number} in a thousand.",
            "{name} signed the form {time}.",
        ),
        kinds=(
            (
                "The books balance and {thing} was posted.",
                "Interest was credited on {day} as agreed.",
                "The yearly statement was sent to {name}.",
            ),
            (
                "The card was stolen, block it immediately.",
                "Fraud suspected: {number} payments within a minute.",
                "{thing} is being emptied from abroad right now.",
            ),
            (
                "The customer objects to the fee of {number} euros.",
                "{name} was charged twice and wants the money back.",
                "The adviser promised a better rate than {thing} has.",
            ),
            (
                "The wrong debit was refunded on {day}.",
                "{thing} is unlocked and the customer confirmed.",
                "The dispute over {number} euros was settled.",
            ),
        ),
        closings=("Filed by {name}.", "Copy to the auditor."),
    ),
    Organisation(
        name="university",
        people=("the student", "the lecturer", "the dean", "the librarian"),
        things=("the thesis", "the exam", "the lecture", "the microscope", "the grant"),
        places=("hall {number}", "the library", "the laboratory", "the seminar room"),
        openings=("Dear all, about {thing}:", "Faculty office, {day}."),
        remarks=(
            "{person} read about {thing}.",
            "The seminar meets on {day} {time}.",
            "There are {number} students in the course.",
        ),
        kinds=(
            (
                "The lecture takes place in {place} as in the timetable.",
                "{name} handed in the exercises on {day}.",
                "The reading list of the course has {number} books.",
            ),
            (
                "The exam starts in {number} minutes and {place} is locked.",
                "Gas smell in the laboratory, leave the building.",
                "The grant ends today and the signature is missing.",
            ),
            (
                "The student thinks the mark for {thing} is unfair.",
                "{place} was so full that {number} students stood.",
                "{person} did not reply to any question about {thing}.",
            ),
            (
                "The mark was corrected and {name} has passed.",
                "The missing book is back in the library.",
                "The timetable clash of {day} has been removed.",
            ),
        ),
        closings=("Kind regards, {name}", "The faculty office"),
    ),
    Organisation(
        name="factory",
        people=("the foreman", "the welder", "the operator", "the inspector"),
        things=("the press", "the conveyor", "the furnace", "the robot arm", "the valve"),
        places=("line {number}", "the paint shop", "the warehouse", "the boiler house"),
        openings=("Shift log, line {number}.", "Early shift, foreman {name}."),
        remarks=(
            "{person} oiled {thing}.",
            "Output was {number} pieces by {day}.",
            "Steel for {place} arrived {time}.",
        ),
        kinds=(
            (
                "The line ran without a stop and made {number} parts.",
                "{thing} was greased and inspected on schedule.",
                "Shift change {time}, all stations manned.",
            ),
            (
                "Fire at {thing}, stop line {number}.",
                "The operator is caught in {thing}, cut the power.",
                "Pressure in {place} above the red mark.",
            ),
            (
                "The gloves are of poor quality and tear on {thing}.",
                "The night shift left {place} dirty again.",
                "{person} has asked for a guard at {thing} {number} times.",
            ),
            (
                "{thing} was repaired and runs at full speed.",
                "The leak in {place} is sealed.",
                "New bearings fitted, vibration back to normal.",
            ),
        ),
        closings=("Logged {time}, {name}.", "Over to the next shift."),
    ),
    Organisation(
        name="council",
        people=("the mayor", "the resident", "the gardener", "the warden"),
        things=("the bridge", "the street lamp", "the playground", "the permit", "the drain"),
        places=("{name} Street", "the town hall", "the park", "the market square"),
        openings=("Town hall, register of {day}.", "A resident of {name} Street writes:"),
        remarks=(
            "{person} walked past {place}.",
            "The council meets on {day}.",
            "House {number} is being painted.",
        ),
        kinds=(
            (
                "The bins of {place} were emptied on {day}.",
                "The permit for house {number} was issued.",
                "The gardener watered {place} {time}.",
            ),
            (
                "The bridge has a crack, close {place}.",
                "Flood water is rising in {place}.",
                "A cable hangs over the playground with sparks.",
            ),
            (
                "The noise from {place} keeps residents awake.",
                "{thing} has been broken since {day} and nobody cares.",
                "The queue at the town hall took {number} hours.",
            ),
            (
                "The street lamp shines again in {place}.",
                "The pothole at house {number} was filled.",
                "The resident got the permit and withdrew the letter.",
            ),
        ),
        closings=("For the mayor, {name}.", "Register number {number}."),
    ),
    Organisation(
        name="insurer",
        people=("the claimant", "the assessor", "the broker", "the witness"),
        things=("the policy", "the roof", "the car", "the cellar", "the premium"),
        places=("district {number}", "the garage", "the claims desk", "the scene"),
        openings=("Claim {number}.", "Assessor {name} reports."),
        remarks=(
            "{person} sent photos of {thing}.",
            "The policy began on a {day}.",
            "{name} drove to {place}.",
        ),
        kinds=(
            (
                "The premium for {thing} was paid in full.",
                "The policy renews on {day} without changes.",
                "The assessor will visit {place} as arranged.",
            ),
            (
                "The storm took the roof and it is raining in.",
                "The family of {name} has no place to sleep tonight.",
                "A witness is being threatened, inform the police.",
            ),
            (
                "The claimant rejects the offer of {number} euros.",
                "The broker never mentioned the excess on {thing}.",
                "Claim {number} has been on the desk for months.",
            ),
            (
                "The damage to {thing} was paid on {day}.",
                "Both parties signed and the claim is settled.",
                "The missing photos came and the cover stands.",
            ),
        ),
        closings=("Claims desk, {name}.", "Reserve {number} euros."),
    ),
    Organisation(
        name="harbour",
        people=("the captain", "the pilot", "the docker", "the customs officer"),
        things=("the crane", "the container", "the anchor", "the tug", "the cargo"),
        places=("berth {number}", "the lock", "the customs shed", "the outer pier"),
        openings=("Harbour watch, {time}.", "Log of pilot {name}:"),
        remarks=(
            "{person} looked for {thing}.",
            "Wind {number} knots from the north.",
            "High water {time} on {day}.",
        ),
        kinds=(
            (
                "The ship made fast at {place} {time}.",
                "{number} containers were unloaded and weighed.",
                "The tug went out to {place} as ordered.",
            ),
            (
                "Man overboard at {place}, all boats out.",
                "The tanker drifts towards the outer pier.",
                "A container with acid leaks at {place}.",
            ),
            (
                "The captain protests against the harbour dues.",
                "The crane stood idle while we lost {number} hours.",
                "The cargo was wet when the docker opened it.",
            ),
            (
                "The anchor is free and the ship has sailed.",
                "Customs released {thing} on {day}.",
                "The spill was pumped off and the water is clean.",
            ),
        ),
        closings=("Watch handed to {name}.", "Channel {number}, out."),
    ),
    Organisation(
        name="school",
        people=("the teacher", "the pupil", "the caretaker", "the head"),
        things=("the homework", "the school bus", "the gym", "the register", "the heating"),
        places=("class {number}", "the playground", "the canteen", "the staff room"),
        openings=("Class book {number}, {day}.", "To the parents of {name}:"),
        remarks=(
            "{person} brought {thing} up.",
            "Class {number} sang {time}.",
            "{name} sat next to the window.",
        ),
        kinds=(
            (
                "All pupils were present and did the homework.",
                "The trip on {day} costs {number} euros as announced.",
                "The register of {place} was signed {time}.",
            ),
            (
                "A pupil fell from the climbing frame and is not awake.",
                "{name} did not come home, search {place}.",
                "Smoke in the gym, take the classes outside.",
            ),
            (
                "The parents find the homework far too much.",
                "{name} is teased in {place} and nobody steps in.",
                "The school bus was late {number} times this month.",
            ),
            (
                "{name} was found and is back in class.",
                "The heating in {place} is warm again.",
                "The quarrel ended and both shook hands.",
            ),
        ),
        closings=("Teacher {name}.", "Please sign and return."),
    ),
)
