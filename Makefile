# hgrip: `make demo` and `make test` work on a fresh clone with Python >= 3.11 and make.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test run check lint types drill bench bench-rules lock clean

help: ## 本说明 / this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

demo: $(READY) ## 演示：从三步填写到备份编号 / play from three steps to a backup number, then stop
	$(BIN)/hgrip demo

test: $(READY) ## 全部测试 / the whole test suite
	$(BIN)/pytest -n 2 --dist loadgroup $(ARGS)  # each of the two brings its own servers

run: $(READY) ## 启动平台，数据保留在 var/ / run the platform, data kept in var/
	$(BIN)/hgrip run

check: lint types test ## 检查 + 类型 + 测试 / lint, types and tests

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(READY)
	$(BIN)/mypy
	for folder in tests/*/; do $(BIN)/mypy $$folder || exit 1; done  # each has a conftest of its own

drill: $(READY) ## 演练：五种故障，从清单看到并排除 / five faults, each seen in the list and freed
	$(BIN)/python -m drill $(ARGS)

bench: $(READY) ## 性能比值，写入 var/bench.json / ratios, written to var/bench.json
	$(BIN)/python -m benchmarks

bench-rules: $(READY) ## 规则引擎与同类比较，写入 docs/ / the rule engine beside its peers, written to docs/
	$(BIN)/python -m benchmarks.rules_peers

lock: ## 重新锁定依赖 / lock the dependencies anew
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && \
	$(PYTHON) -m venv "$$tools" && "$$tools/bin/pip" install -q uv && \
	"$$tools/bin/uv" pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --extra embedded --extra aliyun --extra tencent --extra dev -p 3.11 pyproject.toml -o requirements.lock

clean: ## 删除环境、缓存和 var/ 中的数据 / remove environment, caches, and the data in var/
	rm -rf .venv var build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo '需要 Python 3.11 或更高版本，例如：make PYTHON=python3.12 demo'; \
	  echo 'Python 3.11 or newer is needed, for example: make PYTHON=python3.12 demo'; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
