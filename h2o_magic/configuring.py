"""How a session's settings are changed: one by one, and by presets."""

from __future__ import annotations

from collections.abc import Mapping

from h2o_magic.expecting import expect
from h2o_magic.presets import Preset, Presets
from h2o_magic.settings import Settings, find_setting

__all__ = ["Configuring"]


class Configuring:
    """What a session can do with its settings.

    What is changed holds for cells and for the next questions of all others alike.
    """

    settings: Settings
    _presets: Presets

    def configure(self, **settings: object) -> None:
        """Change settings, by the names that ``%config H2OMagics`` lists.

        Raises
        ------
        ConfigurationError
            If a name is unknown or a value is refused; then none is changed.
        """
        for name, value in settings.items():
            find_setting(name).check(value)
        for name, value in settings.items():
            self.settings.set(name, value, "Python")

    def presets(self) -> Mapping[str, Preset]:
        """Return the presets by name: ``precise``, ``balanced``, ``creative``, yours.

        Each has values of generation parameters; those it does not name stay as they
        are when it is used.
        """
        return self._presets.all()

    @property
    def preset(self) -> str:
        """The name of the first preset that is in force; empty if none is."""
        return self._presets.current(self.settings)

    def use_preset(self, name: str) -> None:
        """Set the parameters that a preset names.

        Raises
        ------
        ConfigurationError
            If there is none of that name.
        """
        expect("a preset's name", name, str)
        self._presets.use(name, self.settings)

    def save_preset(self, name: str) -> None:
        """Keep all generation parameters as they are under a name, for all notebooks.

        Raises
        ------
        ConfigurationError
            If the name is none, or a built-in preset's, or the user's folder cannot be
            written.
        """
        expect("a preset's name", name, str)
        self._presets.save(name, self.settings.parameters())

    def remove_preset(self, name: str) -> None:
        """Forget a preset of yours.

        Raises
        ------
        ConfigurationError
            If there is none of that name, or it is built in.
        """
        expect("a preset's name", name, str)
        self._presets.remove(name)
