"""numba's view of the state's arrays: an index is an offset, and fields of different names do not overlap.

numba's own arrays let a negative index count from the end, which costs four instructions an access, and tell
LLVM nothing about aliasing, so that every store makes it load everything again. ``Rows`` are arrays whose
indices are never negative; each scalar array, and each field of each structured one, is an alias class of
its own.
"""

from __future__ import annotations

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.extending import intrinsic, models, register_model

lower_builtin: Any = extending.lower_builtin
lower_getattr: Any = extending.lower_getattr
lower_getattr_generic: Any = extending.lower_getattr_generic
lower_setattr_generic: Any = extending.lower_setattr_generic


class Row(types.Record):
    """One row of a structured array of the state; its value is its address."""

    def __init__(self, name: str, dtype: np.dtype) -> None:
        record = numba.from_dtype(dtype)
        fields: list[Any] = [(k, {"type": f.type, "offset": f.offset}) for k, f in record.fields.items()]
        super().__init__(fields, record.size, record.aligned)
        self.name = f"Row({name})"


class Rows(types.Array):
    """A one-dimensional array of the state."""

    def __init__(self, name: str, dtype: np.dtype) -> None:
        element = Row(name, dtype) if dtype.names else numba.from_dtype(dtype)
        super().__init__(element, 1, "C", name=f"Rows({name})")
        self.label = name

    @property
    def key(self) -> Any:
        """Arrays of one dtype are of different types: they never overlap."""
        return self.name

    @property
    def mangling_args(self) -> Any:
        """The name says it all."""
        return self.name, []


@register_model(Rows)
class RowsModel(models.StructModel):
    """The address of the first row and their number: all that the kernel asks for, so all that calls pass."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        pointer: Any = types.CPointer
        members = [("data", pointer(fe_type.dtype)), ("length", types.intp)]
        super().__init__(dmm, fe_type, members)  # type: ignore[no-untyped-call]


register_model(Row)(models.RecordModel)


def make_rows(context: Any, builder: Any, kind: Rows, address: Any, length: Any) -> Any:
    """The value of an array of the state from its address (a word) and length."""
    rows = ir.Constant(context.get_value_type(kind), ir.Undefined)
    data = builder.inttoptr(address, context.get_data_type(kind.dtype).as_pointer())
    return builder.insert_value(builder.insert_value(rows, data, 0), length, 1)


@lower_getattr(Rows, "shape")  # type: ignore[untyped-decorator]
def _get_shape(context: Any, builder: Any, kind: Any, array: Any) -> Any:
    """The shape: the number of rows."""
    return builder.insert_value(
        ir.Constant(ir.ArrayType(ir.IntType(64), 1), ir.Undefined), builder.extract_value(array, 1), 0
    )


def _tag(builder: Any, instruction: Any, label: str) -> None:
    """Give a load or store its alias class (LLVM's type-based alias analysis)."""
    module = builder.module
    root = module.add_metadata(["capsim"])
    zero = ir.Constant(ir.IntType(64), 0)
    kind = module.add_metadata([label, root, zero])
    instruction.set_metadata("tbaa", module.add_metadata([kind, kind, zero]))


def _load(context: Any, builder: Any, kind: Any, pointer: Any, label: str) -> Any:
    loaded = builder.load(pointer)
    _tag(builder, loaded, label)
    return context.data_model_manager[kind].from_data(builder, loaded)


def _store(context: Any, builder: Any, kind: Any, value: Any, pointer: Any, label: str) -> None:
    stored = builder.store(context.data_model_manager[kind].as_data(builder, value), pointer)
    _tag(builder, stored, label)


def _address(context: Any, builder: Any, kind: Any, array: Any, index_type: Any, index: Any) -> Any:
    """The address of an element."""
    offset = context.cast(builder, index, index_type, types.intp)
    return builder.gep(builder.extract_value(array, 0), [offset], inbounds=True)


@lower_builtin(operator.getitem, Rows, types.Integer)  # type: ignore[untyped-decorator]
def _get_item(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_type = signature.args
    pointer = _address(context, builder, kind, arguments[0], index_type, arguments[1])
    if isinstance(kind.dtype, Row):
        return pointer
    return _load(context, builder, kind.dtype, pointer, kind.label)


@lower_builtin(operator.setitem, Rows, types.Integer, types.Any)  # type: ignore[untyped-decorator]
def _set_item(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    kind, index_type, value_type = signature.args
    pointer = _address(context, builder, kind, arguments[0], index_type, arguments[1])
    if isinstance(kind.dtype, Row):
        builder.store(builder.load(arguments[2]), pointer)
    else:
        value = context.cast(builder, arguments[2], value_type, kind.dtype)
        _store(context, builder, kind.dtype, value, pointer, kind.label)
    return context.get_dummy_value()


def _field(context: Any, builder: Any, row: Any, address: Any, name: str) -> tuple[Any, Any, str]:
    """Type, address and alias class of a field of a row."""
    kind = row.typeof(name)
    byte = builder.bitcast(address, ir.IntType(8).as_pointer())
    byte = builder.gep(byte, [ir.Constant(ir.IntType(64), row.offset(name))], inbounds=True)
    return kind, builder.bitcast(byte, context.get_data_type(kind).as_pointer()), f"{row.name}.{name}"


@lower_getattr_generic(Row)  # type: ignore[untyped-decorator]
def _get_field(context: Any, builder: Any, row: Any, address: Any, name: str) -> Any:
    kind, pointer, label = _field(context, builder, row, address, name)
    return _load(context, builder, kind, pointer, label)


@lower_setattr_generic(Row)  # type: ignore[untyped-decorator]
def _set_field(context: Any, builder: Any, signature: Any, arguments: Any, name: str) -> None:
    row, value_type = signature.args
    kind, pointer, label = _field(context, builder, row, arguments[0], name)
    _store(context, builder, kind, context.cast(builder, arguments[1], value_type, kind), pointer, label)


@intrinsic
def prefetch(typingctx: Any, array: Any, index: Any) -> Any:
    """Have an element of an array of the state on its way into the cache; any index will do."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _address(context, builder, array, args[0], index, args[1])
        byte, flag = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, flag, flag, flag])
        name = "llvm.prefetch.p0i8"
        function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        to_write, near, data = ir.Constant(flag, 1), ir.Constant(flag, 3), ir.Constant(flag, 1)
        builder.call(function, [builder.bitcast(pointer, byte), to_write, near, data])
        return context.get_dummy_value()

    return types.none(array, index), codegen
