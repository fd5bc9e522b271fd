"""Our program beside what a user would pick instead: the same work, against the same servers, in turns.

`python -m bench` runs every job of `bench.jobs.JOBS`, `python -m bench probe` the one of that name. What was
measured goes to `docs/benchmarks/<job>.json`; `docs/benchmarks.md` and its pictures are made of those files
and of what the job's module says, so that a job that was not run keeps its figures.

A job is a module with a docstring, which introduces it on the page, and a `JOB` (`bench.job.Job`), listed in
`bench/jobs.py`:

    JOB = Job(
        name="register",                        # `make bench JOB=register`
        title="Register launches",
        figures=(Figure("calls", "AWS calls"), Figure("cpu", "CPU, s", digits=2)),
        reference="ours: register",             # the contender whose figures the others' are divided by
        compared=("calls", "cpu"),              # the figures for which that is done
        open=open_lineup,                       # what runs; see below
        charts=(Chart("calls", "AWS calls for a burst of launches"),),
        goals=(Goal("at most 12 calls", "calls", of=("1,000 launches", "ours: register"), most=12),),
        unsaid=("What the same calls take at AWS.",),
    )

    @contextmanager
    def open_lineup() -> Iterator[Lineup]:
        with open_servers() as aws:             # the same for all contenders
            yield Lineup(
                contenders=(
                    Contender("100 launches", "ours: register", run=lambda: replay(aws, 100)),
                    Contender("100 launches", "one call each", run=lambda: naive(aws, 100), note="…"),
                    NotRun("100 launches", "Ansible", "python3-venv is missing"),
                ),
                versions={"moto": version("moto")},
            )

`run` does the work once, from the same start each time, and returns its figures by key (`{"calls": 12,
"cpu": 0.4}`); a figure that it leaves out is blank on the page. Contenders run in turns, A B C A B C …,
`Job.rounds` times, or a `Contender.rounds` of its own where a run takes long and its figures are exact
counts. The page shows one that raises, the others go on, and the exit status is 1. Whole processes are
measured by `bench.process.measure`; what peers need is installed below `.bench/`.
"""
