//! Cogroups: for each key, the values of two, three or four data sets of pairs.

use std::sync::Arc;

use firesteel_closure::ConstructError;
use firesteel_executor::TaskContext;
use firesteel_external_collections::Aggregator;
use firesteel_model::Partition;

use crate::{
    data::{Data, Key, Records},
    node::{Operator, Parents},
    operator::{
        combine::combine,
        side::{Side, SideEnv, Sides},
    },
};

/// Declares the cogroup of so many sides: its operator, the value of one of them, and how those are gathered.
macro_rules! cogroup {
    ($operator:ident, $value:ident, $gather:ident: $($letter:ident = $index:tt,)*) => {
        #[doc = concat!("The operator of `", stringify!($operator), "`.")]
        pub(crate) struct $operator<Key, $($letter),*>($(Side<Key, $letter>),*);

        enum $value<$($letter),*> {
            $($letter($letter),)*
        }

        struct $gather;

        impl<$($letter),*> Aggregator<$value<$($letter),*>, ($(Vec<$letter>,)*)> for $gather {
            fn create_combiner(&self, value: $value<$($letter),*>) -> ($(Vec<$letter>,)*) {
                let mut groups = ($(Vec::<$letter>::new(),)*);
                self.merge_value(&mut groups, value);
                groups
            }

            #[inline]
            fn merge_value(&self, groups: &mut ($(Vec<$letter>,)*), value: $value<$($letter),*>) {
                match value {
                    $($value::$letter(value) => groups.$index.push(value),)*
                }
            }

            fn merge_combiners(&self, groups: &mut ($(Vec<$letter>,)*), other: ($(Vec<$letter>,)*)) {
                $(groups.$index.extend(other.$index);)*
            }
        }

        impl<K: Key, $($letter: Data),*> Operator for $operator<K, $($letter),*> {
            type Env = [SideEnv; cogroup!(@count $($letter)*)];
            type Item = (K, ($(Vec<$letter>,)*));

            fn construct(env: Self::Env, parents: Parents<'_>) -> Result<Self, ConstructError> {
                let mut sides = Sides::of(parents);
                Ok(Self($(sides.take(env[$index])?),*))
            }

            fn compute(self: Arc<Self>, partition: Partition, context: &Arc<TaskContext>) -> Records<Self::Item> {
                let pairs = std::iter::empty();
                $(
                    let side = self.$index.read(partition, context);
                    let pairs = pairs.chain(
                        side.map(|pair| pair.map(|(key, value)| (key, $value::$letter(value)))),
                    );
                )*
                combine(pairs, $gather, context)
            }
        }
    };
    (@count $($letter:ident)*) => { [$(cogroup!(@one $letter)),*].len() };
    (@one $letter:ident) => { () };
}

cogroup!(CoGroup2, Value2, Gather2: A = 0, B = 1,);
cogroup!(CoGroup3, Value3, Gather3: A = 0, B = 1, C = 2,);
cogroup!(CoGroup4, Value4, Gather4: A = 0, B = 1, C = 2, D = 3,);
