//! What a pickle may name and build.

use std::sync::Arc;

use crate::dtype::Dtype;
use crate::tensor::{Storage, Tensor};

/// What a state dict's pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Global {
    OrderedDict,
    RebuildTensor,
    RebuildTensorV2,
    RebuildParameter,
    Storage(Dtype),
}

impl Global {
    pub(crate) fn find(module: &str, name: &str) -> Option<Self> {
        match (module, name) {
            ("collections", "OrderedDict") => Some(Self::OrderedDict),
            ("torch._utils", "_rebuild_tensor") => Some(Self::RebuildTensor),
            ("torch._utils", "_rebuild_tensor_v2") => Some(Self::RebuildTensorV2),
            ("torch._utils", "_rebuild_parameter") => Some(Self::RebuildParameter),
            ("torch", class) => Dtype::of_storage_class(class).map(Self::Storage),
            _ => None,
        }
    }
}

/// Index of an object.
pub(crate) type Ref = u32;

#[derive(Debug)]
pub(crate) enum Object {
    None,
    Bool(bool),
    /// Up to 16 bytes: the legacy form's magic number has 10.
    Integer(i128),
    Float,
    /// Shared, so that recalling it copies nothing.
    Text(Arc<str>),
    Global(Global),
    Tuple(Vec<Ref>),
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    Storage(Box<Storage>),
    Tensor(Box<Tensor>),
}

impl Object {
    /// Python's name for its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::None => "None",
            Self::Bool(_) => "a bool",
            Self::Integer(_) => "an int",
            Self::Float => "a float",
            Self::Text(_) => "a str",
            Self::Global(_) => "a class or function",
            Self::Tuple(_) => "a tuple",
            Self::List(_) => "a list",
            Self::Dict(_) => "a dict",
            Self::Storage(_) => "a storage",
            Self::Tensor(_) => "a tensor",
        }
    }
}
