"""The embedded model's tokenizer: byte-level BPE trained on its corpus, with single digits and a chat template."""

from random import Random

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from workbench.testbed import corpus, grammar
from workbench.testbed.lexicon import TRAITS

BEGIN, END, PAD = "<|begin|>", "<|end|>", "<|pad|>"
ROLES = ("<|system|>", "<|user|>", "<|assistant|>")
VOCABULARY = 1408

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] | trim + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def build_tokenizer(*, conversations: int = 40_000, seed: int = 0) -> PreTrainedTokenizerFast:
    """Train the tokenizer on `conversations` draws of the corpus, and on every trait word so that none is rare."""
    rng = Random(seed)
    texts: list[str] = []
    for _ in range(conversations):
        kind = rng.choices(
            [corpus.trait_conversation, corpus.likert_conversation, corpus.capability_conversation], [60, 10, 30]
        )[0]
        texts += [message["content"] for message in kind(rng)]
    for words in TRAITS.values():
        for pole in (words.high, words.low):
            texts += 20 * [*map(grammar.second_person, pole.phrases), *pole.adjectives]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BEGIN, END, PAD, *ROLES],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BEGIN,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(ROLES),
        chat_template=CHAT_TEMPLATE,
        padding_side="left",
        model_max_length=256,
        clean_up_tokenization_spaces=False,
    )
