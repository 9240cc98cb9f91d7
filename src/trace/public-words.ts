/**
 * Words that say what kind of command ran and nothing about whose: programs, subcommands, shell words and file endings
 * that everyone knows. Anonymising keeps these and hashes every other word. What decides a command's class must be here.
 */
const words = `
  sh bash zsh dash fish env sudo su exec eval source export unset alias set cd pwd pushd popd echo printf read test true
  false exit return if then else elif fi for while until do done case esac in function local time timeout nohup nice wait
  kill pkill killall sleep trap xargs parallel tee yes watch command which type whereis man help
  ls find tree wc du df stat file cat head tail less more grep egrep fgrep rg ag sed awk gawk cut sort uniq tr diff cmp
  patch cp mv rm ln mkdir rmdir touch chmod chown tar gzip gunzip zip unzip xz zstd bzip2 dd split cksum md5sum sha256sum
  base64 jq yq od hexdump strings realpath basename dirname mktemp sync mount umount
  git diff log status show add commit checkout stash branch reset clone fetch pull push merge rebase blame apply tag init
  python python2 python3 pip pip3 pipx uv poetry pipenv conda mamba virtualenv venv pytest tox nox nose nosetests unittest
  doctest coverage mypy ruff flake8 black isort pylint django manage setup install uninstall develop build wheel
  node npm npx yarn pnpm bun deno tsc ts jest vitest mocha eslint prettier webpack vite rollup esbuild next ci run test
  start lint format dev
  cargo rustc rustup clippy go gofmt vet java javac mvn gradle gradlew ant sbt scala kotlin dotnet msbuild nuget
  gcc g cc clang clang ld ar make cmake ninja meson configure bazel autoconf automake gdb valgrind strace perf
  ruby gem bundle bundler rake rspec rails php composer phpunit perl cpan r rscript julia lua swift xcodebuild elixir mix
  apt get apk yum dnf brew pacman dpkg rpm snap systemctl service journalctl
  docker podman compose kubectl helm terraform ansible vagrant
  curl wget ssh scp rsync nc ping dig openssl
  ps top htop free uptime uname id whoami hostname lsof ss netstat ip date cal
  sqlite3 psql mysql redis mongo
  vi vim nano emacs ed apply_patch
  dev null tmp usr bin etc var proc sys home root src lib tests docs opt
  py pyc js mjs cjs jsx tsx json yaml yml toml ini cfg conf md rst txt csv tsv html css scss xml sql c h cpp hpp cc rs java kt
  rb php pl lua sh ipynb lock log diff patch png jpg svg pdf gz zip whl
  agent tool session tenant cgroup slice scope
  memory cpu low medium high
`;

export const PUBLIC_WORDS: ReadonlySet<string> = new Set(words.split(/\s+/).filter(Boolean));
