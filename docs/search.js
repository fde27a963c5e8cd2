// A search shows the pages for users first: what writes of the inside and of adapters comes last.
// The page that answers a word which newcomers type comes before all others that have it.
var ANSWERS = {
  "what is leeward license licence pricing price free": "index",
  "first install project start tutorial": "quickstart",
  "attempt attempts circuit failover hedge priority retries retry timeout health": "routing",
  "ambiguous error errors exception exceptions outcome unknown": "outcomes",
  "lost settle": "settle",
  "duplicate charged double twice": "ran-twice",
  "exactly idempotency idempotent once": "idempotency",
  "dead dlq poison redrive": "dead-letters",
  "mock pytest test testing tests": "testing",
  "cron schedule schedules timer handler": "functions",
  "deploy package zip lambda": "deploy",
  "region regions": "regions",
  "facts module terraform": "facts",
  "config configuration environment settings toml": "configuration",
  "celery": "from-celery",
  "boto3": "from-boto3",
  "powertools": "from-powertools",
  "loop tenacity": "from-tenacity",
  "log logs": "logging",
  "metrics opentelemetry tracing": "telemetry",
  "cli command commands status": "cli",
  "approval approvals approve human": "approvals",
  "console dashboard": "console",
  "develop locally reload": "dev",
  "isolate": "configuration",
  "fastapi django flask starlette webhook": "idempotency-key",
  "sqs dynamodb eventbridge s3 aws": "aws",
  "cosmos eventgrid azure": "azure",
  "firestore pubsub gcp google": "google",
  "postgres postgresql queue": "postgres",
  "docker dockerfile kubernetes systemd container containers service": "containers",
  "worker workers": "workers",
  "rollback roll upgrade destroy rotate uninstall": "day-two",
  "agent agents langchain langgraph mcp openai": "agents",
  "requests httpx ran": "what-ran",
  "saga step steps workflow workflows": "workflows",
  "backup restore": "backup",
  "outbox transaction": "outbox",
  "query join scope limitations": "scope",
  "vulnerability security secret": "security",
  "plugin provider adapter": "write-an-adapter",
  "asyncio async await": "async",
};

var Scorer = {
  score: ([page, , , , score]) => {
    const query = new URLSearchParams(location.search).get("q") || "";
    const words = query.toLowerCase().split(/\W+/);
    const answers = ([known, answer]) =>
      answer === page && known.split(" ").some((word) => words.includes(word));
    if (Object.entries(ANSWERS).some(answers)) return score + 1000;
    if (/^(reference\/adapter|design|one-call)/.test(page)) return score - 100;
    if (/^(reference|write-an-adapter|plans)/.test(page)) return score - 50;
    return score;
  },
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
