"""What unmodified clients do in the tests: programs, each run in a process of its own."""

EVERYTHING = '''
import os
from pathlib import Path
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import HfHubHTTPError

def refusal(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__.removeprefix("Remote")
    return "no error"

api = HfApi()
assert api.whoami()["name"] == "alice"
api.create_repo("alice/one", private=True)
api.create_repo("alice/one", exist_ok=True)
folder = Path("files")
(folder / "deep").mkdir(parents=True)
weights = os.urandom(300_000) + b"abcd" * 100_000
(folder / "w.safetensors").write_bytes(weights)
(folder / "deep" / "a.json").write_text("{}")
(folder / "README.md").write_text("""---
language: [cy]
license: mit
tags: [adapterkit]
library_name: adapter-transformers
base_model: lab/base
---
Hello.""")
api.upload_folder(folder_path=folder, repo_id="alice/one")
told = api.model_info("alice/one", files_metadata=True)
assert told.private and {"adapterkit", "cy", "license:mit", "base_model:adapter:lab/base"} <= set(told.tags)
sizes = {file.rfilename: (file.size, file.lfs is not None) for file in told.siblings}
assert sizes["w.safetensors"] == (700_000, True) and sizes["deep/a.json"] == (2, False), sizes
again = Path(snapshot_download("alice/one"))
assert (again / "w.safetensors").read_bytes() == weights
assert api.upload_folder(folder_path=folder, repo_id="alice/one") is not None
assert [m.id for m in api.list_models(filter=["adapterkit", "cy"])] == ["alice/one"]
assert not list(api.list_models(filter=["adapterkit", "sw"]))
assert [m.id for m in api.list_models(author="alice", search="ON")] == ["alice/one"]
api.create_tag("alice/one", tag="v1", revision=told.sha)
api.create_branch("alice/one", branch="dev")
assert refusal(lambda: api.create_tag("alice/one", tag="v1")) == "HfHubHTTPError"
refs = api.list_repo_refs("alice/one")
assert {b.name for b in refs.branches} == {"main", "dev"}
assert [t.target_commit for t in refs.tags] == [told.sha]
assert {f.path for f in api.list_repo_tree("alice/one")} >= {"deep", "README.md"}
assert "deep/a.json" in {f.path for f in api.list_repo_tree("alice/one", recursive=True)}
assert [f.path for f in api.get_paths_info("alice/one", ["deep/a.json", "no"])] == ["deep/a.json"]
add = [CommitOperationAdd("b.json", b"{}")]
head = api.model_info("alice/one").sha
api.create_commit("alice/one", add, commit_message="b", parent_commit=head)
try:
    api.create_commit("alice/one", [CommitOperationAdd("c.json", b"{}")], commit_message="c", parent_commit=head)
except HfHubHTTPError as error:
    assert error.response.status_code == 412
assert [c.title for c in api.list_repo_commits("alice/one")][0] == "b"
assert hf_hub_download("alice/one", "b.json", revision="main")
assert refusal(lambda: hf_hub_download("alice/one", "b.json", revision="v1")) == "EntryNotFoundError"
assert refusal(lambda: api.model_info("alice/none")) == "RepositoryNotFoundError"
assert refusal(lambda: api.model_info("alice/one", revision="none")) == "RevisionNotFoundError"
api.delete_file("b.json", "alice/one")
api.delete_tag("alice/one", tag="v1")
api.delete_branch("alice/one", branch="dev")
api.move_repo("alice/one", "alice/two")
assert api.model_info("alice/two").id == "alice/two"
api.delete_repo("alice/two")
print("all of it")
'''
"""All that huggingface_hub does with a repository: 2.x and 0.36, through Xet, LFS and LFS in parts."""

GATED = """
from huggingface_hub import HfApi, hf_hub_download
for name in ("alice/gated", "alice/private"):
    try:
        hf_hub_download(name, "a.json")
    except Exception as error:
        print(type(error).__name__)
"""

ADAPTERS = """
import torch
from adapters import AutoAdapterModel

model = AutoAdapterModel.from_pretrained("lab/base")
torch.manual_seed(1)
model.add_adapter("cym", config="seq_bn_inv")
model.add_tagging_head("cym", num_labels=3)
ids = torch.tensor([[0, 11, 12, 30, 2]])

def output(model):
    model.active_adapters = "cym"
    with torch.no_grad():
        return model.eval()(input_ids=ids)[0]

model.push_adapter_to_hub("cym", "cym", datasets_tag="lab/text")
again = AutoAdapterModel.from_pretrained("lab/base")
assert again.load_adapter("alice/cym") == "cym"
assert torch.equal(output(model), output(again))
print("the same output")
"""
"""What `adapters` does: publishes (a pickle) and loads again."""

PEFT = """
import torch
from peft import AutoPeftModelForTokenClassification, LoraConfig, PeftModel, get_peft_model
from transformers import AutoModelForTokenClassification, AutoTokenizer

def base():
    torch.manual_seed(0)
    return AutoModelForTokenClassification.from_pretrained("lab/base", num_labels=3)

config = LoraConfig(task_type="TOKEN_CLS", target_modules=["query", "value"], init_lora_weights=False)
model = get_peft_model(base(), config).eval()
ids = torch.tensor([[0, 11, 12, 30, 2]])
with torch.no_grad():
    before = model(input_ids=ids).logits
model.push_to_hub("alice/lora")
tokenizer = AutoTokenizer.from_pretrained("lab/base")
tokenizer.push_to_hub("alice/words")
assert AutoTokenizer.from_pretrained("alice/words")("ab")["input_ids"] == tokenizer("ab")["input_ids"]
with torch.no_grad():
    again = PeftModel.from_pretrained(base(), "alice/lora").eval()(input_ids=ids).logits
    found = AutoPeftModelForTokenClassification.from_pretrained("alice/lora", num_labels=3)
    through = found.eval()(input_ids=ids).logits
assert torch.equal(before, again) and torch.equal(before, through)
base().push_to_hub("alice/whole")
whole = AutoModelForTokenClassification.from_pretrained("alice/whole").state_dict()
assert all(torch.equal(value, whole[key]) for key, value in base().state_dict().items())
print("the same output")
"""
"""What peft and transformers do: publish an adapter, a tokenizer and a model, and load them again."""
