"""Texts with a secret in them, and ordinary ones that only resemble these.

The secrets are made up. Those that services would recognize are put together here, so
that no scanner of repositories takes them for real ones.
"""

from __future__ import annotations

import base64
import json

__all__ = ["ORDINARY_TEXTS", "SECRET_TEXTS", "web_token"]

_RANDOM = "7Fk3q9Zx2Lm8Vt4Rw6Yb1Nc5Hd0Js7Gp3Qe9Ua2K"  # 40 characters


def web_token(header: object) -> str:
    parts = (json.dumps(header), '{"sub": "ada"}', "signature-of-it-all")
    encoded = (base64.urlsafe_b64encode(part.encode()).decode() for part in parts)
    return ".".join(part.rstrip("=") for part in encoded)


def _basic(login: str) -> str:
    return f"Basic {base64.b64encode(login.encode()).decode()}"


#: Each with the words that the refusal has for it.
SECRET_TEXTS: dict[str, str] = {
    "sk-" + _RANDOM: "an OpenAI-style key",
    "sk-proj-" + _RANDOM + "-" + _RANDOM: "an OpenAI-style key",
    "sk-ant-" + "api03-" + _RANDOM: "an Anthropic key",
    "login(token='hf_" + _RANDOM[:34] + "')": "a Hugging Face token",
    "git clone https://ghp_" + _RANDOM[:36] + "@github.com/a/b": "a GitHub token",
    "github_" + "pat_" + _RANDOM + _RANDOM: "a GitHub token",
    "glp" + "at-" + _RANDOM[:20]: "a GitLab token",
    "aws: AKIA" + "J7QX2M5ZP4LW8R3T": "an AWS access key",
    "xox" + "b-1234567890-1234567890123-" + _RANDOM[:24]: "a Slack token",
    "AIza" + "Sy" + _RANDOM[:33]: "a Google key",
    "GOCSPX" + "-" + _RANDOM[:28]: "a Google key",
    "stripe.api_key = 'sk_" + "live_" + _RANDOM[:24] + "'": "a Stripe key",
    "whsec" + "_" + _RANDOM[:32]: "a Stripe key",
    "//npm.example.org/:_authToken=npm_" + _RANDOM[:36]: "an npm token",
    "pypi" + "-AgEIcHlwaS5vcmc" + _RANDOM: "a PyPI token",
    "DATABRICKS = 'dapi" + "0123456789abcdef" * 2 + "'": "a Databricks token",
    "SG" + "." + _RANDOM[:22] + "." + _RANDOM: "a SendGrid key",
    "gsk" + "_" + _RANDOM: "an access token",
    "-----BEGIN " + "PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----": (
        "a private key"
    ),
    '{"type": "service_account", "private_key_id": "0a1b", "private_key": "-----BEGIN '
    'PRIVATE KEY-----\\nMIIEvQIBADANBgkq\\n-----END PRIVATE KEY-----\\n"}': (
        "a private key"
    ),
    "-----BEGIN " + "OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA": "a private key",
    web_token({"alg": "HS256", "typ": "JWT"}): "a JSON Web Token",
    f"session: {web_token({'typ': 'JWT', 'alg': 'RS256'})} ends": "a JSON Web Token",
    "aws_secret_access_key = " + "wJa/" + _RANDOM[:20] + "+" + _RANDOM[:15]: (
        "an AWS secret key"
    ),
    '"SecretAccessKey": "' + "wJa/" + _RANDOM[:20] + "+" + _RANDOM[:15] + '"': (
        "an AWS secret key"
    ),
    "curl -u ada:hunter2 https://example.org": "a login of curl",
    "curl -s --user 'ada:correct horse' https://example.org": "a login of curl",
    "curl -X POST \\\n  -d @data.json \\\n  -u ada:lovelace1815 https://a.org": (
        "a login of curl"
    ),
    '["curl", "-u", "ada:hunter2", "https://example.org"]': "a login of curl",
    "curl --proxy-user=ada:s3cret! https://example.org": "a login of curl",
    "machine api.example.org login ada password hunter2": "a login of netrc",
    "machine api.example.org\n  login ada\n  password lovelace": "a login of netrc",
    "requests.get(url, auth=('ada', 'hunter2'))": "a login",
    'HTTPBasicAuth("ada", "lovelace!")': "a login",
    f"curl -H 'X: {_basic('ada:hunter2')}' https://a.org": "a login in base64",
    f"headers = {{'Authorization': '{_basic('ada:lovelace')}'}}": "a login in base64",
    "curl -H 'Authorization: Bearer 9f8e7d6c5b4a' https://a.org": "of Authorization",
    "curl -H 'Authorization: ApiKey 9f8e7d6c5b4a' https://a.org": "of Authorization",
    "send Bearer 4f1c9e0a7b2d4e6f8a1b with it": "a bearer token",
    "https://a.blob.core.windows.net/x?se=1&sig=" + _RANDOM + "%3D": "a signed address",
    "https://hooks.slack.com/services/T0A1B2C3D/B0A1B2C3D/" + _RANDOM[:24]: (
        "the address of a webhook"
    ),
    "postgresql://ada:hunter2@db.example.org/shop": "an address with a password",
    "mongodb+srv://ada:lovelace@cluster0.example.net": "an address with a password",
    "- name: DB_PASSWORD\n  value: hunter2hunter": "of DB_PASSWORD",
    '{"name": "api_key", "value": "9f8e7d6c5b"}': "of api_key",
    '<input name="password" value="hunter2hunter2">': "of password",
    "tool login --token 4f1c9e0a7b2d4e6f --verbose": "of token",
    "run.sh --db-password 'hunter2hunter2'": "of db-password",
    "LAB_KEY=9f8e7d6c5b4a\nHOME=/root": "of LAB_KEY",
    "lab_key = '9f8e7d6c5b4a3f2e1d0c'": "of lab_key",
    "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=9f8e7d6c5b4a3f2e==;": (
        "of AccountKey"
    ),
    "Server=db;User Id=ada;Password=hunter2hunter;": "of Password",
    "[default]\naws_session_token = 9f8e7d6c5b4a3f2e1d0c": "of aws_session_token",
    "WANDB_API_KEY: 9f8e7d6c5b4a3f2e1d0c9f8e7d6c5b4a3f2e1d0c": "of WANDB_API_KEY",
}

ORDINARY_TEXTS: list[str] = [
    # Code
    "df = df.merge(other, on='customer_key', how='left')",
    "df.set_index('primary_key').sort_values('sort_key')",
    "PRIMARY_KEY = 'order_id'\nSORT_KEY = 'created_at'",
    "SORT_KEY = 'ORDER#2024-01-01#0001'",
    "STORAGE_KEY = 'todos-v2'",
    "CACHE_KEY=v1-deps-2024-01-01",
    "cache_key = f'{user_id}:{page}'",
    "key = hashlib.sha256(data).hexdigest()",
    "partition_key='2024-01-01T00:00:00Z_store0042'",
    "row_key = '550e8400-e29b-41d4-a716-446655440000'",
    "lab_key = '550e8400-e29b-41d4-a716-446655440000'",
    "foreign_key = 'fk_orders_customer_id_2024_01_01'",
    "for key, value in sorted(counts.items(), key=lambda item: -item[1]): ...",
    "client = OpenAI(api_key=os.environ['LAB_KEY'])",
    "token = AutoTokenizer.from_pretrained('gpt2').eos_token",
    "requests.get(url, auth=(user, password))",
    "requests.get(url, auth=('user', 'password'))",
    "requests.get(url, auth=('<user>', '<token>'))",
    "auth = HTTPBasicAuth('user', os.getenv('PASSWORD'))",
    "if '-----BEGIN PRIVATE KEY-----' in text: raise ValueError",
    'HEADER = "-----BEGIN PRIVATE KEY-----\\n"\nFOOTER = "-----END PRIVATE KEY-----"',
    "pattern = re.compile(r'sk-[A-Za-z0-9]{20,}|ghp_[A-Za-z0-9]{36}')",
    ".sk-toggleable__label-arrow:before {content: '+'}",
    '<div class="sk-estimator-doc-link-container-wrapper" id="sk-container-id-1">',
    "hf_hub_download('bert-base-uncased', 'config.json')",
    "parser.add_argument('--api-key', help='the key of the API')",
    "parser.add_argument('--password', default=None)",
    "def login(user: str, password: str | None = None) -> Token: ...",
    "model.fit(X, y, sample_weight=w)  # machine learning, no login or password",
    "secret_santa = random.choice(names)",
    "barrier_token = f'groupby-barrier-{token}'",
    "assert decode('eyJ.eyJ.abc') is None",
    # Commands
    "curl -u user:password https://example.org",
    "curl -u $USER:$TOKEN https://example.org",
    'curl -u "${USER}:${TOKEN}" https://example.org',
    "curl --user <user>:<token> https://example.org",
    "curl -u username:api_token https://example.org",
    "curl -u admin:admin http://localhost:9200",
    "curl -u YOUR_KEY: https://api.example.org/v1/charges",
    "curl -H 'Authorization: Bearer $TOKEN' https://example.org",
    "curl -H 'Authorization: Bearer <token>' https://example.org",
    "curl -H 'Authorization: Bearer YOUR_API_KEY' https://example.org",
    "curl -H 'Authorization: Basic dXNlcjpwYXNzd29yZA==' https://example.org",
    "curl --user-agent 'Mozilla/5.0: test' https://example.org",
    "docker run -u 1000:1000 -v /data:/data image",
    "docker build --secret id=key1,src=key.txt .",
    "curl -O https://example.org/a.tgz\ndocker run -u 1000:1000 image",
    "gpg --recv-keys 5BE8A3F6C8A5C01D106C0AD820B1A390B168D356",
    "tool login --token $TOKEN --password-stdin",
    "tool login --password PASSWORD",
    "rsync -u host:path .",
    # Settings
    "machine HOST login USER password PASSWORD",
    "machine api.example.org login <user> password <password>",
    "env:\n  - name: DB_PASSWORD\n    valueFrom:\n      secretKeyRef: {name: db}",
    "- name: LOG_LEVEL\n  value: debug",
    "password: ${DB_PASSWORD}\nurl: postgresql://${DB_USER}:${DB_PASSWORD}@db/shop",
    "url: postgresql://postgres:postgres@localhost:5432/shop",
    "key: ${{ runner.os }}-pip-${{ hashFiles('requirements.txt') }}",
    "restore-keys: |\n  linux-pip-",
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "OPENAI_API_KEY=sk-your-api-key-goes-here-1234567890",
    "SLACK_TOKEN=xoxb-your-token-here",
    "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "HF_TOKEN=hf_...",
    '{"private_key": "-----BEGIN PRIVATE KEY-----\\n...\\n-----END PRIVATE KEY-----"}',
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    # Tables and prose
    "| join_key | n |\n|---|---|\n| 2024-01-01_store0042 | 3 |",
    "| KEY | VALUE |\n|---|---|\n| a1b2c3d4 | 7 |",
    "order_key,amount\nd41d8cd98f00b204e9800998ecf8427e,12.5",
    "commit 5BE8A3F6C8A5C01D106C0AD820B1A390B168D356 of the data",
    "The basic understanding of tokens: a word has 1.3 of them.",
    "Basic authentication sends user:password in base64.",
    "The bearer of this ticket may enter; bearer authentication is explained below.",
    "A password has at least 8 characters, a passphrase at least 20.",
    "Press any key to go on; the key difference is the sort key.",
    "the primary key: customer_id; the foreign key: orders.customer_id",
    "@vaswani2017attention{cite_key: vaswani2017attention}",
    "The machine logs in with its login name and the password policy applies.",
]
