"""`mailout check`: what is wrong with an issue, before anybody gets it."""

from __future__ import annotations

import sys
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import click

from mailout.cli.console import JSON, as_json, counted, note, opened, read_site, say, table
from mailout.cli.publishing import compiled_unless_out, refuse_stale
from mailout.cli.sending import signers_of
from mailout.core.check.rule import Finding, Severity
from mailout.core.errors import MailoutError, UsageError, nearest
from mailout.core.mailing_list import MailingList
from mailout.core.site import Site
from mailout.publish import checking, sources
from mailout.publish.checking import Checked
from mailout.spam import score
from mailout.store import issues
from mailout.store.engine import Store
from mailout.store.issues import Issue

_BY_YES = frozenset({"C03"})  # warnings that `--yes` accepts


@click.command(name="check")
@click.argument("issue", required=False)
@click.option("--dns", is_flag=True, help="Ask for SPF, DKIM, DMARC, MX and PTR records, too.")
@click.option("--name-server", metavar="HOST[:PORT]", default="", help="Ask that one (--dns).")
@click.option("--spam", is_flag=True, help="Ask SpamAssassin, too, if it is installed.")
@click.option("--rules", is_flag=True, help="List the rules instead.")
@JSON
@click.pass_context
def check_command(
    context: click.Context,
    issue: str | None,
    dns: bool,
    name_server: str,
    spam: bool,
    rules: bool,
    as_json_: bool,
) -> None:
    """Check ISSUE as it would be mailed: its final bytes, for readers of several kinds.

    An issue that was not sent is compiled anew first; then every reader's message is made.
    What is found is an error (`mailout send` refuses), a warning (it wants `--accept ID`) or a
    note. Each rule is explained in docs/checks.md.

    Exit codes: 0 nothing but warnings and notes, 1 errors.

    Example: mailout check 2026-11-20-bulletin
    """
    if rules:
        _list_rules(as_json_)
        return
    if issue is None:
        raise UsageError("which issue?", fix="`mailout issues list` shows them.")
    site = read_site(context)
    with opened(site) as store:
        found = compiled_unless_out(site, store, issue)
        mailing_list = site.list_named(found.list_id)
        checked = checked_issue(site, store, mailing_list, found)
    if dns or name_server:
        checked = checked.and_also(_names(site, mailing_list, name_server))
    if spam:
        checked = checked.and_also(checking.spam(checked.samples, score))
    if as_json_:
        as_json(_report(found, checked))
    else:
        _show(found, checked)
    sys.exit(1 if checked.of(Severity.REFUSE) else 0)


def checked_issue(site: Site, store: Store, mailing_list: MailingList, issue: Issue) -> Checked:
    """What is wrong with a compiled issue, with the lines of its posts."""
    with store.reading() as tx:
        variants = issues.variants(tx, issue.id)
        keys = issues.posts_of(tx, issue.id)
    checked = checking.check_issue(
        site, store, mailing_list, issue.id, variants, signers_of(site), datetime.now(UTC)
    )
    if not checked.findings:
        return checked
    posts = sources.read_posts(site.root, mailing_list.default_language, faults=[])
    files = {post.file: post.language for key in keys for post in posts.get(key, {}).values()}
    return replace(checked, findings=tuple(checking.located(checked.findings, site.root, files)))


def refuse_unfit(
    site: Site,
    store: Store,
    mailing_list: MailingList,
    issue: Issue,
    accepted: Collection[str],
    *,
    yes: bool,
    approving: bool = False,
) -> None:
    """Nothing, if the issue may be sent. Raises: MailoutError naming what is wrong with it."""
    refuse_stale(site, store, mailing_list, issue, approving=approving)
    known = checking.rules()
    accepted = [one.upper() for one in accepted]
    for one in accepted:
        if one not in known:
            raise UsageError(f"there is no rule `{one}`", where="--accept", fix=nearest(one, known))
    checked = checked_issue(site, store, mailing_list, issue)
    grave = checked.of(Severity.REFUSE)
    warnings = [
        one
        for one in checked.of(Severity.WARN)
        if one.rule not in accepted and not (yes and one.rule in _BY_YES)
    ]
    for found in (*grave, *warnings):
        note(_line(found))
    if grave:
        raise MailoutError(
            f"{issue.name} is not fit to be sent: {_ids(grave)}",
            fix="Mend that and compile again; docs/checks.md explains each.",
        )
    if warnings:
        options = " ".join(f"--accept {one}" for one in dict.fromkeys(w.rule for w in warnings))
        raise MailoutError(
            f"{issue.name} has warnings: {_ids(warnings)}",
            fix=f"Mend them, or add {options} to go on all the same.",
        )


def _names(site: Site, mailing_list: MailingList, server: str) -> Sequence[Finding]:
    """What is wrong with our names in the DNS. Raises: TryLater if nobody answers."""
    from mailout.config.dkim import public_record  # all are slow to import
    from mailout.core.check.names import check_names
    from mailout.core.dkim import record_name
    from mailout.dns import asker

    records = {record_name(one.domain, one.selector): public_record(site, one) for one in site.dkim}
    return check_names(checking.names_of(site, mailing_list, records), asker(server))


def _list_rules(as_json_: bool) -> None:
    known = checking.rules()
    if as_json_:
        as_json(
            [
                {"rule": id, "severity": severity.value, "demand": demand}
                for id, (severity, demand) in known.items()
            ]
        )
        return
    table(
        ["rule", "severity", "demand"],
        [(id, severity.value, demand) for id, (severity, demand) in known.items()],
    )


def _show(issue: Issue, checked: Checked) -> None:
    for one in checked.findings:
        say(_line(one))
    counts = [counted(len(checked.of(one)), _WORDS[one]) for one in Severity]
    say(f"{issue.name}: {', '.join(counts)}; made for {counted(checked.rendered, 'reader')}.")


_WORDS = {Severity.REFUSE: "error", Severity.WARN: "warning", Severity.NOTE: "note"}


def _line(one: Finding) -> str:
    """A finding on one line: `error B10 ru posts/x.md:12: what is wrong. What to do.`"""
    kinds = {Severity.REFUSE: "error", Severity.WARN: "warning", Severity.NOTE: "note"}
    head = " ".join(filter(None, (kinds[one.severity], one.rule, one.language, one.where)))
    return f"{head}: {one.what}" + (f". {one.fix}" if one.fix else "")


def _ids(findings: Sequence[Finding]) -> str:
    return ", ".join(dict.fromkeys(one.rule for one in findings))


def _report(issue: Issue, checked: Checked) -> dict[str, object]:
    return {
        "issue": issue.name,
        "rendered": checked.rendered,
        "findings": [
            {
                "rule": one.rule,
                "severity": one.severity.value,
                "language": one.language,
                "where": one.where,
                "what": one.what,
                "fix": one.fix,
            }
            for one in checked.findings
        ],
    }
