"""Before a training from raw text: will the backbone cope with it? What should worry is logged, blindness refused."""

import logging

from adapterkit.backbone.frozen import Backbone
from adapterkit.data.corpus import Corpus, Profile
from adapterkit.errors import CorpusError

logger = logging.getLogger("adapterkit")


def readable(corpus: Corpus, backbone: Backbone, *, warn: bool = True) -> Profile:
    """The profile of ``corpus`` as ``backbone`` reads it; its warnings are logged, unless ``warn`` is off.

    Raises:
        CorpusError: If the backbone cannot read most of the characters.
    """
    profile = corpus.profile(backbone.pieces, unk_id=backbone.unk_id)
    if profile.coverage and profile.is_mostly_unreadable:
        unread = profile.coverage.unreadable_characters
        raise CorpusError(
            f"backbone {backbone.name!r} cannot read {100 * unread:.0f} % of the characters of this text "
            f"({corpus.language}), so no training on it can learn the language; choose a backbone whose tokenizer "
            "knows the script (`adapterkit corpus --backbone` says so)"
        )
    for warning in profile.warnings() if warn else ():
        logger.warning("warning: %s", warning)
    return profile
