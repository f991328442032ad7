package firesteel.bench

import org.apache.spark.{SparkConf, SparkContext}
import org.apache.spark.rdd.RDD

/** Sorts pairs of numbers by key. */
object SortByKey {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val pairs = parameters.number("pairs")
    val partitions = parameters.partitions("partitions")
    val sc = new SparkContext(new SparkConf().setAppName("sort by key"))
    Rounds.serve(parameters) {
      Rounds.seconds {
        val unsorted = sc.range(0, pairs, 1, partitions).map(number => (SplitMix.mix(number), number))
        Sorted.check(unsorted.sortByKey(ascending = true, partitions))((sum, value) => sum + value)
      }
    }
    sc.stop()
  }
}

/** Sorts lines of 100 bytes by their first ten. */
object SortRecords {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val partitions = parameters.partitions("partitions")
    val sc = new SparkContext(new SparkConf().setAppName("sort records"))
    Rounds.serve(parameters) {
      Rounds.seconds {
        val records = sc.textFile(parameters.text("records")).map(line => (line.substring(0, 10), line))
        Sorted.check(records.sortByKey(ascending = true, partitions))((sum, line) => sum + line.length)
      }
    }
    sc.stop()
  }
}

/** Sees that pairs are in order, and adds up their values. */
object Sorted {
  def check[K: Ordering, V](sorted: RDD[(K, V)])(add: (Long, V) => Long): String = {
    val ordering = implicitly[Ordering[K]]
    val parts = sorted.mapPartitions { pairs =>
      if (pairs.isEmpty) {
        Iterator.empty
      } else {
        val (first, value) = pairs.next()
        var (last, count, sum) = (first, 1L, add(0, value))
        for ((key, value) <- pairs) {
          require(ordering.lteq(last, key), s"$last comes before $key")
          last = key
          count += 1
          sum = add(sum, value)
        }
        Iterator((first, last, count, sum))
      }
    }.collect()
    for ((before, after) <- parts.zip(parts.drop(1))) {
      require(ordering.lteq(before._2, after._1), "partitions are not in order")
    }
    s"${parts.map(_._3).sum} in order, sum ${parts.map(_._4).sum}"
  }
}
