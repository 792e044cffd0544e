# Everything is set up by these targets; nothing but Python 3.11, gcc, cmake and make is needed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: pictures mutants truth node-framework dist suites attach-soak guard-soak bench-v8 v8-against seeds seeds-all sanitize bench demo docs fuzz format test test-all check native clean
$(VENV)/.ready: pyproject.toml constraints.txt CMakeLists.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q -c constraints.txt --group test --group zoo --group service --group check "scikit-build-core>=0.10"
	$(BIN)/pip install -q -c constraints.txt --no-build-isolation -e .
	touch $@

# Compiled here: with PYTHONDONTWRITEBYTECODE set, each process that is started would compile all of it again.
native: $(VENV)/.ready
	$(BIN)/pip install -q --no-build-isolation --no-deps -e .
	$(BIN)/python -m compileall -q analyzer/leakscan

# The main job on a leaking program: the answer as text, the picture as DOT, and the snapshots, all in demo/.
demo: native
	rm -rf demo && mkdir demo
	PYTHONPATH=fixtures $(BIN)/leakscan capture streamlab:stream_once --runs 20 -o demo/leak
	$(BIN)/leakscan diff demo/leak | tee demo/leak.txt
	$(BIN)/leakscan graph demo/leak -o demo/leak.dot
	@echo "demo/ holds leak.txt, leak.dot and the snapshots leak/before.heap and leak/after.heap"

# Most of a capture is waiting: three processes fill two cores. OPTIONS are pytest's, for each of the processes.
OPTIONS ?=
test: native
	$(BIN)/python tools/run_tests.py --processes 3 $(OPTIONS)

# What a change needs every time: the tests that start no process of their own, in less than a minute.
quick: native
	$(BIN)/python -m pytest -q -n 2 -m "not slow" --dist loadfile --no-loadscope-reorder

# The least share of lines and branches that the tests reach in their own process.
COVERAGE ?= 70
coverage: native
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder --cov=leakscan --cov-branch --cov-report=term:skip-covered \
	  --cov-fail-under=$(COVERAGE)

# CHANGELOG.md from news/, at a release.
news: native
	$(BIN)/pip install -q -c constraints.txt --group news
	$(BIN)/towncrier build --yes --version $(VERSION)

check: native
	$(BIN)/ruff check analyzer tests fixtures benchmarks tools
	$(BIN)/ruff format --check analyzer tests fixtures benchmarks tools
	$(BIN)/mypy
	$(BIN)/mypy tests/typing/api.py
	$(BIN)/lint-imports

# The pictures of the README, of the page and the explorer on the demo. Needs Chromium.
pictures: native
	$(BIN)/python tools/pictures.py

# Python by ruff, the native module by .clang-format.
format: native
	$(BIN)/pip install -q -c constraints.txt --group format
	$(BIN)/ruff format analyzer tests fixtures benchmarks tools
	$(BIN)/clang-format -i $$(git ls-files 'analyzer/native/*.cpp' 'analyzer/native/*.h')

# Writes the generated pages and builds the HTML into docs/_build.
docs: native
	$(BIN)/pip install -q -c constraints.txt --group docs
	$(BIN)/python tools/command_reference.py
	$(BIN)/python -m sphinx -q -W -b html docs docs/_build

# sdist, wheel and SBOM in dist/, from a clean clone of what is committed, installed and tried in empty
# environments of every interpreter at hand.
dist: native
	$(BIN)/pip install -q -c constraints.txt --group dist
	$(BIN)/python tools/dist.py

# The plugin on whole test suites of released packages, fetched with pip: no false alarm. Without SUITES all eight of the
# table in docs/howto/test-with-pytest.md, which is written anew; about half an hour.
SUITES ?=
suites: native
	$(BIN)/python tools/suites.py $(SUITES)

# BENCHES="query open" for some of them.
BENCHES ?=
bench: native
	$(BIN)/pip install -q -c constraints.txt --group bench
	cd benchmarks && PYTHONPATH=../analyzer ../$(BIN)/python run.py $(abspath $(RECORD)) --only "$(BENCHES)"

# V8 snapshots beside DevTools' engine and memlab's, from npm. ORDERS=1510000 for a snapshot of 970 MB.
ORDERS ?= 300000
bench-v8: native
	cd benchmarks && PYTHONPATH=../analyzer ../$(BIN)/python bench_v8.py $(ORDERS) --engines --repeat 3

# Sizes and dominators node by node against both engines, on a snapshot of each Node in NODES and of Chromium.
v8-against: native
	$(BIN)/python tools/v8_against.py $(NODES)

# A thousand attaches to chat_service while clients stream from it; about five minutes. ATTACHES for another number.
ATTACHES ?= 1000
attach-soak: native
	$(BIN)/python tools/attach_soak.py --attaches $(ATTACHES)
	test "$$(id -u)" != 0 || $(BIN)/python tools/attach_near_limit.py --attaches $(ATTACHES)

# Guarded programs die in memory cgroups, each beside its unguarded twin; as root, about a minute each.
DEATHS ?= 100
guard-soak: native
	$(BIN)/python tools/guard_soak.py --deaths $(DEATHS)

test-all: native
	$(BIN)/python tools/test_all.py --fetch

# Rules of the judge, rows of tables and constants of the analysis, changed one at a time: a test must notice.
# ONLY for those in whose name this pattern is found, `make mutants ONLY=noise_table`. All of them take 15 minutes of
# CPU; what was found out is kept in build/mutants.jsonl, so that a run that was stopped goes on.
ONLY ?=
mutants: native
	$(BIN)/python tools/mutants.py --only "$(ONLY)"

# Random programs with a known truth, in three forms, on 3.11 and 3.13, and every small input with a known answer;
# fails below the limits of tools/truth.py. About an hour for 300 seeds on two cores.
SEEDS ?= 300
truth: native
	LEAKSCAN_FULL=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder tests/programs \
	  tests/analysis/test_callers.py
	$(BIN)/python tools/truth.py --seeds $(SEEDS)

# The agent framework of the how-to, from npm, in every situation; prints the table. About half an hour.
node-framework: native
	cd fixtures/node/agent_framework && npm ci --ignore-scripts --no-audit --no-fund
	$(BIN)/python tools/node_framework.py

# Needs clang. FUZZ_SECONDS for each target; what was found stays in fuzz-corpus/.
FUZZ_SECONDS ?= 60
FUZZ := analyzer/native/fuzz
FUZZ_FLAGS := -std=c++20 -g -O2 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined
fuzz: native
	mkdir -p fuzz-corpus/snapshot fuzz-corpus/v8
	$(BIN)/python $(FUZZ)/seeds.py fuzz-corpus/seeds
	clang++ $(FUZZ_FLAGS) $(FUZZ)/fuzz_snapshot.cpp analyzer/native/heap/chunks.cpp \
	  analyzer/native/heap/check.cpp analyzer/native/crc32.cpp -o fuzz-corpus/fuzz_snapshot
	clang++ $(FUZZ_FLAGS) $(FUZZ)/fuzz_v8.cpp analyzer/native/heap/v8_scan.cpp \
	  analyzer/native/heap/v8_build.cpp -o fuzz-corpus/fuzz_v8
	for target in snapshot v8; do \
	  fuzz-corpus/fuzz_$$target -max_total_time=$(FUZZ_SECONDS) -max_len=8192 -print_final_stats=1 \
	    -artifact_prefix=fuzz-corpus/ fuzz-corpus/$$target fuzz-corpus/seeds/$$target || exit 1; \
	done

# Every scenario of the seeds through real captures, some 780; writes four pages of docs/explanation. Takes
# some minutes, on as many cores as there are.
seeds: native
	$(BIN)/python tools/seeds.py

# What the fixtures expect, in all ways to end and on every CPython that can be found.
seeds-all: native
	LEAKSCAN_SEEDS=all $(BIN)/python tools/test_all.py tests/programs/test_streams_lab.py tests/programs/test_session_maps.py \
	  tests/programs/test_native_server.py tests/programs/test_chat_service.py tests/programs/test_fixtures.py

# ASan and UBSan over the tests of the native module, then valgrind where it is installed.
sanitize: native
	tools/sanitize.sh $(VENV)

clean:
	rm -rf build dist $(VENV) analyzer/leakscan/_native*.so
