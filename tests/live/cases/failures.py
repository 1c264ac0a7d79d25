# SPDX-License-Identifier: GPL-2.0-only
"""Faults that fail, and exceptions that are no faults."""
from harness import Skip, cases, check, equal, settled, truth
from snoop import difference, region_class, stat, trace

FAILING = ["efault", "segv-read", "segv-write", "segv-exec", "segv-noexec", "segv-readonly",
           "segv-prot-none", "segv-no-growth", "efault-no-growth", "bus"]


@cases("failed", [(f"{part}{'-in-kernel' if options else ''}", part, options)
                  for part in FAILING for options in ([], ["--in-kernel"])])
@settled
def failed(_, part, options):
    runs = [stat(["--by", "region,class", *options], [truth("fixup"), part, n])
            for n in ("00100", "00000")]
    expected = difference(*(region_class(r.truth) for r in runs))
    equal(difference(*(r.table("region", "class") for r in runs)), expected,
          "faults by (region, class)")
    check(sum(expected.values()) >= 100, f"the truth: {expected}")
    equal(runs[0].total("failed") - runs[1].total("failed"), sum(expected.values()),
          "failed, in totals")
    equal(difference(*(r.table("region", "class", value="failed") for r in runs)), expected,
          "failed by (region, class)")
    equal(difference(*(r.table("region", value="bytes") for r in runs)), {}, "bytes of failed "
          "faults")


@cases("kernel-access", [(f"{part}{'-in-kernel' if options else ''}", part, options)
                         for part in ("write-file", "write-pipe", "read-zero")
                         for options in ([], ["--in-kernel"])])
@settled
def kernel_access(_, part, options):
    """The kernel's own touches are faults; those with page faults disabled are fixups."""
    runs = [stat(["--by", "region,class", *options], [truth("fixup"), part, n])
            for n in ("00100", "00000")]
    expected = difference(*(region_class(r.truth) for r in runs))
    equal(difference(*(r.table("region", "class") for r in runs)), expected,
          "faults by (region, class)")
    equal(runs[0].total("kernel") - runs[1].total("kernel"), 100, "faults in kernel mode")
    told = runs[0].truth
    if "exceptions" not in told:
        raise Skip("no exception tracepoints to compare fixups with; x86 has them")
    idle = runs[1].truth
    fixups = told["exceptions"] - told["measured"] - idle["exceptions"] + idle["measured"]
    equal(runs[0].total("fixup") - runs[1].total("fixup"), fixups,
          "fixups beside exceptions less PAGE_FAULTS")


@cases("access", [("read", "zero", "read"), ("write", "anon", "write"), ("exec", "text", "exec")])
def access(_, part, wanted):
    events, told = trace(["--events", "fault"], [truth("regions"), part, "20"])
    (region, klass), = region_class(told)
    found = [e for e in events if e["event"] == "fault" and e["region"] == region and
             e["class"] == klass]
    kinds = [e["access"] for e in found[-20:]]
    equal(kinds, [wanted] * 20, f"access of {region} faults")
    check(all(e["mode"] == "user" for e in found[-20:]), "they were made in user mode")
