"""Requests of past months: each is taken through all its steps by the deciders of all services, on a clock of its own."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date, datetime
from functools import partial
from typing import Any

from services.assignment.domain import commands as assignment
from services.assignment.domain.decisions import next_record_number
from services.intake.domain import commands as intake
from services.intake.domain.employee_number import employee_number_warnings
from services.verification.domain import commands as verification
from shared.calendar import WorkingCalendar, today
from shared.contracts.facts import (
    Applicant,
    ChecklistItem,
    Complexity,
    DocumentKind,
    DocumentRef,
    Letter,
    Scope,
    Verdict,
)
from shared.contracts.lifecycle import ENDED, Status
from shared.runtime.decider import Decider, Refusal
from simpul.demo import past_office as texts
from simpul.demo import sample_documents
from simpul.demo.past_documents import PastDocuments
from simpul.demo.past_office import PastStaff, next_office_time
from simpul.demo.sample_requests import SampleRequest, sample_request
from simpul.generate.lifecycle_simulator import LifecycleSimulator

MAX_ROUNDS = 3

DocumentsOf = Callable[[SampleRequest, str], PastDocuments]
"""Makes the documents of a request from its sample and its id."""
SHARED_DOCUMENTS: DocumentsOf = partial(PastDocuments, shared=True)
OWN_DOCUMENTS: DocumentsOf = partial(PastDocuments, shared=False)


class StepInFuture(Exception):
    """The next step of a request would be taken after now."""


class PastRequest:
    """One request from its submission until now. The same number and seed make the same request."""

    def __init__(
        self,
        deciders: Mapping[str, Decider[Any]],
        staff: PastStaff,
        calendar: WorkingCalendar,
        now: datetime,
        *,
        seed: int,
        index: int,
        submitted_at: datetime,
        number: str,
        documents: DocumentsOf = SHARED_DOCUMENTS,
    ) -> None:
        self.simulator = LifecycleSimulator(deciders, index, submitted_at)
        self._staff = staff
        self._calendar = calendar
        self._now = now
        self._number = number
        self._rng = random.Random(f"{seed}:{number}")  # noqa: S311 - sample data, no secret
        self._sample = sample_request(seed, index, today(submitted_at))
        self.documents = documents(self._sample, self.simulator.request)
        self._officer, self._head = self._rng.choice(staff.officers), self._rng.choice(staff.heads)
        weights = (*texts.LEAD_WEIGHTS, *[1] * len(staff.leads))[: len(staff.leads)]
        [self._lead] = self._rng.choices(staff.leads, weights)

    @property
    def is_unchecked(self) -> bool:
        """Whether officers or the head still have to look at the documents."""
        return self._state("intake").lead is None and self.status not in ENDED

    @property
    def status(self) -> Status:
        return Status(self._state("assignment").status)

    def _state(self, service: str) -> Any:
        return self.simulator.working_copies[service].state

    def run(self) -> None:
        """Take all steps that lie in the past, and let deadlines pass until now."""
        # A refusal means that a deadline has passed, for instance before the applicant responded.
        with suppress(StepInFuture, Refusal):
            self._submit()
            if self._verify() and self._carry_out():
                self._close()
        self.simulator.wait_until(self._now)

    def _step(self, days: int, service: str, command: Any) -> None:
        """Take a step after this many working days. Raises StepInFuture and Refusal."""
        at = next_office_time(self.simulator.now, days, self._calendar, self._rng)
        if at > self._now:
            raise StepInFuture
        self.simulator.wait_until(at)
        self.simulator.execute(service, command() if callable(command) else command)
        self.simulator.send_emails()

    def _happens(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _days(self, *weights: int) -> int:
        """Return a number of days, 0 with the first weight, 1 with the second, and so on."""
        return self._rng.choices(range(len(weights)), weights)[0]

    def _submit(self) -> None:
        form = self._sample.form
        documents = (self.documents.letter(), *self._requirements())
        command = intake.SubmitRequest(
            number=self._number,
            applicant=Applicant(
                name=form["name"],
                employee_number=form["employee_number"],
                unit=form["unit"],
                position=form["position"],
                email=form["email"],
                phone=form.get("phone", ""),
            ),
            description=form["description"],
            scope=Scope(form["scope"]),
            letter=Letter(number=form["letter_number"], date=date.fromisoformat(form["letter_date"])),
            documents=documents,
            warnings=employee_number_warnings(form["employee_number"], today(self.simulator.now)),
        )
        self.simulator.execute("intake", command)
        self.simulator.send_emails()

    def _verify(self) -> bool:
        """Check the request, round by round; return False if it ended. Raises StepInFuture and Refusal."""
        if self._happens(0.03):
            return self._withdraw(self._days(1, 1))
        for attempt in range(1, MAX_ROUNDS + 1):
            late = self._days(0, 0, 4, 3, 2, 2, 1, 1) if self._happens(0.2) else self._days(6, 5)
            if self._happens(0.4):
                self._step(0, "verification", verification.ClaimRequest(self._officer, self._officer))
            if self._happens(0.06):
                note = self._rng.choice(texts.NOTES)
                self._step(0, "verification", verification.AddNote(self._officer, note))
            if attempt == 1 and self._happens(0.035):
                reason = self._rng.choice(texts.RECOMMENDATIONS)
                self._step(late, "verification", verification.RecommendRejection(self._officer, reason))
                self._step(self._days(2, 3, 1), "assignment", assignment.RejectRequest(self._head, texts.REJECTION))
                return False
            if attempt == MAX_ROUNDS or not self._happens(0.17 if attempt == 1 else 0.1):
                codes = self._state("verification").warnings
                verdicts = tuple(Verdict(item=item, ok=True) for item in ChecklistItem)
                self._step(late, "verification", verification.VerifyRequest(self._officer, verdicts, codes))
                return True
            if not self._return(late, attempt + 1):
                return False
        return False

    def _return(self, days: int, round_number: int) -> bool:
        """Return the request to the applicant; return False if it was left to expire instead of being completed."""
        [failed] = self._rng.choices(tuple(texts.RETURN_NOTES), (5, 4, 2))
        note = texts.RETURN_NOTES[failed]
        verdicts = tuple(
            Verdict(item=item, ok=item is not failed, note=note if item is failed else "") for item in ChecklistItem
        )
        self._step(days, "verification", verification.ReturnRequest(self._officer, verdicts))
        if self._happens(0.09):
            return False
        changes = {
            ChecklistItem.LETTER: lambda: intake.ResubmitRequest(documents=(self.documents.letter(round_number),)),
            ChecklistItem.DOCUMENTS: lambda: intake.ResubmitRequest(
                documents=self._requirements(round_number), replaces=self._requirement_ids()
            ),
            ChecklistItem.FORM: lambda: intake.ResubmitRequest(
                description=f"{self._sample.form['description']} Sistem asal: {self._sample.source}."
            ),
        }
        self._step(self._days(1, 3, 4, 3, 2, 2, 1, 1, 1, 1), "intake", changes[failed])
        return True

    def _carry_out(self) -> bool:
        """Appoint a lead, who does the work and hands it over; return False if the request was withdrawn."""
        complexity = self._rng.choices(tuple(Complexity), (5, 4, 2))[0]
        planned = round(texts.WORK_DAYS[complexity] * self._rng.uniform(0.8, 1.3))
        self._step(
            self._days(4, 5, 3, 2, 1, 1, 1),
            "assignment",
            lambda: assignment.AssignLead(
                self._head,
                self._lead,
                complexity,
                self._calendar.add_working_days(today(self.simulator.now), planned),
            ),
        )
        if self._happens(0.04):
            self._reassign()
        self._step(self._days(3, 4, 3, 2, 1, 1), "assignment", lambda: assignment.StartWork(self._lead))
        days = max(2, round(planned * self._rng.triangular(0.55, 1.75, 0.95)))
        notes = self._rng.randint(1, 3)
        for count in range(1, notes + 1):
            note = assignment.NoteProgress(
                self._lead, texts.PROGRESS_NOTES[count - 1], min(90, 100 * count // (notes + 1))
            )
            self._step(days // (notes + 1), "assignment", note)
            if count == 1 and self._happens(0.16):
                self._pause()
            if count == 1 and self._happens(0.06):
                self._change_target()
            if self._happens(0.01):
                return self._withdraw(1)
        self._hand_over(days - notes * (days // (notes + 1)))
        return True

    def _reassign(self) -> None:
        others = [lead for lead in self._staff.leads if lead != self._lead]
        if others:
            lead, reason = self._rng.choice(others), self._rng.choice(texts.REASSIGNMENTS)
            self._step(1, "assignment", assignment.ReassignLead(self._head, lead, reason))
            self._lead = lead

    def _change_target(self) -> None:
        def command() -> assignment.ChangeTarget:
            current = max(self._state("assignment").target_date, today(self.simulator.now))
            target = self._calendar.add_working_days(current, self._rng.randint(4, 10))
            return assignment.ChangeTarget(self._head, target, self._rng.choice(texts.TARGET_REASONS))

        self._step(1, "assignment", command)

    def _pause(self) -> None:
        index = self._rng.randrange(len(texts.QUESTIONS))
        self._step(0, "assignment", assignment.PauseWork(self._lead, texts.QUESTIONS[index]))
        if self._happens(0.85):
            self._step(self._days(1, 3, 3, 2, 2, 1, 1, 1), "intake", intake.AnswerQuestion(texts.ANSWERS[index]))
        else:
            self._step(self._rng.randint(6, 10), "assignment", assignment.ResumeWork(self._lead))

    def _hand_over(self, days: int) -> None:
        def complete() -> assignment.CompleteWork:
            state = self._state("assignment")
            record, delivery = next_record_number(state), state.course.delivery + 1
            documents = (
                self.documents.make(DocumentKind.RESULT, sample_documents.result_report, delivery),
                self.documents.make(DocumentKind.HANDOVER_RECORD, sample_documents.handover_sample, delivery),
            )
            return assignment.CompleteWork(self._lead, texts.SUMMARY, documents, record)

        self._step(days, "assignment", complete)

    def _close(self) -> None:
        """Confirm the handover, after an objection or by saying nothing, and answer the survey."""
        if self._happens(0.06):
            objection = self._rng.choice(texts.OBJECTIONS)
            self._step(self._days(2, 3, 2, 1), "intake", intake.ContestHandover(objection))
            self._hand_over(self._rng.randint(2, 7))
        if self._happens(0.72):
            self._step(self._days(3, 4, 3, 2, 1), "intake", intake.ConfirmHandover())
            survey, days = 0.6, self._days(4, 3, 2, 1, 1, 1, 1, 1)
        else:
            survey, days = 0.2, self._rng.randint(7, 12)
        if self._happens(survey):
            self._step(days, "intake", self._survey())

    def _survey(self) -> intake.AnswerSurvey:
        state = self._state("assignment")
        is_late = state.target_date and state.target_date < today(state.history[-1].time)
        mood = self._rng.gauss(0.2, 0.35) - (0.5 if is_late else 0)
        answers = tuple(min(4, max(1, round(mean + mood + self._rng.gauss(0, 0.4)))) for mean in texts.SURVEY_MEANS)
        return intake.AnswerSurvey(answers, self._rng.choice(texts.COMMENTS) if self._happens(0.3) else "")

    def _requirements(self, round_number: int = 1) -> tuple[DocumentRef, ...]:
        count = self._rng.randint(1, len(sample_documents.REQUIREMENTS))
        return self.documents.requirements(count, round_number)

    def _requirement_ids(self) -> tuple[str, ...]:
        documents = self._state("intake").all_documents
        return tuple(document.id for document in documents if document.kind is DocumentKind.REQUIREMENT)

    def _withdraw(self, days: int) -> bool:
        """Withdraw the request; return False, because it ended."""
        self._step(days, "intake", intake.WithdrawRequest(self._rng.choice(texts.WITHDRAWALS)))
        return False


def past_request(
    deciders: Mapping[str, Decider[Any]], staff: PastStaff, calendar: WorkingCalendar, now: datetime, **which: Any
) -> PastRequest:
    """Return a request at its state of today; one that is unchecked has documents of its own."""
    request = PastRequest(deciders, staff, calendar, now, **which)
    request.run()
    if request.is_unchecked:
        request = PastRequest(deciders, staff, calendar, now, **which, documents=OWN_DOCUMENTS)
        request.run()
    return request
