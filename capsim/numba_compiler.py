"""numba's compiler, with the passes and the libraries that the kernel needs.

Left alone, numba optimises every helper together with all that it calls and makes machine code of it, once a
level of calls. Here helpers stay as they were lowered; an entry point links all it needs once, with its
helpers as private functions, and is optimised once: half the compile time, and LLVM may inline them and drop
what no caller needs.

More than half of the time is numba's own Python. So functions go through the passes that they need alone (the
kernel has no closures, ``with`` blocks, ``literally``, loops over tuples of several types or array
expressions), and the types of a call are resolved once for the whole kernel.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite.binding import Linkage  # type: ignore[import-untyped]
from numba.core import codegen, compiler, typed_passes, untyped_passes
from numba.core.compiler_machinery import PassManager
from numba.core.targetconfig import ConfigStack
from numba.core.types.functions import BaseFunction

PASSES: tuple[Any, ...] = (
    untyped_passes.TranslateByteCode,
    untyped_passes.FixupArgs,
    untyped_passes.IRProcessing,
    untyped_passes.GenericRewrites,
    untyped_passes.InlineInlinables,
    untyped_passes.ReconstructSSA,
    typed_passes.NopythonTypeInference,
    typed_passes.PreLowerStripPhis,
    typed_passes.InlineOverloads,
    typed_passes.NoPythonSupportedFeatureValidation,
    typed_passes.IRLegalization,
    typed_passes.AnnotateTypes,
    typed_passes.NativeLowering,
    typed_passes.NoPythonBackend,
)


class _Resolution:
    """Signatures of calls that numba has resolved, by its flags, the function and the types of the arguments.

    numba tries the templates of a function anew at each call: of a comparison, some twenty.
    """

    def __init__(self) -> None:
        self.resolve: Any = BaseFunction.get_call_type
        self.by_flags: dict[str, dict[Any, Any]] = {}
        self.flags: Any = None
        self.known: dict[Any, Any] = {}

    def signature(self, function: Any, context: Any, args: Any, kws: Any) -> Any:
        """What ``BaseFunction.get_call_type`` says, asked once."""
        stack: Any = ConfigStack
        flags = stack.top_or_none()
        if flags is not self.flags:
            self.flags, self.known = flags, self.by_flags.setdefault(flags.summary() if flags else "", {})
        known, key = self.known, (function, context, tuple(args), tuple(kws.items()))
        if key not in known:
            known[key] = self.resolve(function, context, args, kws)
        return known[key]


_RESOLUTION = _Resolution()


def _signature(function: Any, context: Any, args: Any, kws: Any) -> Any:
    """Stands for the method of numba's type of functions while the kernel compiles."""
    return _RESOLUTION.signature(function, context, args, kws)


@contextmanager
def _quicker() -> Iterator[None]:
    """Inside, calls are resolved once, and Python collects garbage at every 100,000 new objects, not 700.

    Compiling makes many objects and few cycles; memory stays as it was.
    """
    function: Any = BaseFunction
    before, thresholds = function.get_call_type, gc.get_threshold()
    function.get_call_type = _signature
    gc.set_threshold(100_000, *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        function.get_call_type = before


class _NoCode:
    """Stands for numba's code generator where a helper has no machine code whose environment could be set."""

    def set_env(self, name: str, env: Any) -> None:
        """Nothing to set."""


class HelperLibrary(codegen.JITCodeLibrary):
    """A helper's own module, as lowered; the entry points that need it link and compile it."""

    codegen = _NoCode()

    def finalize(self) -> None:
        """Link nothing, compile nothing."""
        self._finalized = True

    def get_pointer_to_function(self, name: str) -> int:
        """Null: helpers are not called from Python."""
        return 0


class ApartLibrary(HelperLibrary):
    """A helper that stays a function of its own: those who seldom call it keep their registers."""

    def finalize(self) -> None:
        """Have LLVM not inline it."""
        for function in self._final_module.functions:
            if not function.is_declaration:
                function.add_function_attribute("noinline")
        super().finalize()


class EntryLibrary(codegen.JITCodeLibrary):
    """An entry point with all helpers that it reaches, as private functions of one module."""

    def _optimize_final_module(self) -> None:
        """Once: numba's cheap round before this one only serves to prune reference counts."""
        passes: Any = self._codegen
        manager, builder = passes._module_pass_manager()
        manager.run(self._final_module, builder)

    def finalize(self) -> None:
        """Collect the helpers, link, optimise and compile."""
        own = {f.name for f in self._final_module.functions if not f.is_declaration}
        pending, seen = list(self._linking_libraries), set()
        self._linking_libraries = []
        while pending:
            library = pending.pop()
            if library in seen:
                continue
            seen.add(library)
            if isinstance(library, HelperLibrary):
                self._final_module.link_in(library._final_module, preserve=True)
                pending += library._linking_libraries
            else:
                self._linking_libraries.append(library)
        for function in self._final_module.functions:
            if not function.is_declaration and function.name not in own:
                function.linkage = Linkage.internal
        super().finalize()  # type: ignore[no-untyped-call]


def _compiler(library: type) -> type:
    """numba's compiler with one of the libraries above."""

    class Compiler(compiler.CompilerBase):
        def define_pipelines(self) -> list[Any]:
            """One pipeline."""
            manager: Any = PassManager("kernel")  # type: ignore[no-untyped-call]
            for one in PASSES:
                manager.add_pass(one, one.__name__)
            manager.finalize()
            return [manager]

        def compile_extra(self, func: Any) -> Any:
            """Compile into a library of the given type."""
            made = library(self.state.targetctx.codegen(), func.__qualname__)
            made.enable_object_caching()
            self.state.library = made
            with _quicker():
                return super().compile_extra(func)  # type: ignore[no-untyped-call]

    return Compiler


HELPER, APART, ENTRY = (_compiler(library) for library in (HelperLibrary, ApartLibrary, EntryLibrary))
