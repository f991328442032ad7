package firesteel.bench

import java.nio.file.{Files, Path, Paths}

import scala.jdk.CollectionConverters._
import scala.util.Try

import org.apache.spark.{SparkConf, SparkContext}

/** How much physical memory processes have, in 10^6 bytes; the same as in src/resident.rs. */
object ProcessMemory {
  def peakOfThisProcess: Double = megabytes(status(Paths.get("/proc/self")), "VmHWM:").get

  def meanOfChildren: Double = {
    val parent = ProcessHandle.current().pid().toString
    // Processes end while they are looked at, and not everything here is a process.
    val all = Files.list(Paths.get("/proc")).iterator().asScala.toSeq.flatMap(path => Try(status(path)).toOption)
    val children = all.filter(value(_, "PPid:").contains(parent)).flatMap(megabytes(_, "VmRSS:"))
    require(children.nonEmpty, "this process has no executors")
    children.sum / children.size
  }

  private def status(process: Path): Seq[String] = Files.readAllLines(process.resolve("status")).asScala.toSeq

  private def value(status: Seq[String], name: String): Option[String] =
    status.find(_.startsWith(name)).map(_.stripPrefix(name).trim)

  private def megabytes(status: Seq[String], name: String): Option[Double] =
    value(status, name).map(_.stripSuffix("kB").trim.toLong * 1024 / 1e6)
}

/** One stage of very many tasks that do nothing, and the memory of the process afterwards. */
object ManyTasksMemory {
  def main(args: Array[String]): Unit = {
    val parameters = new Parameters(args)
    val tasks = parameters.partitions("tasks")
    val sc = new SparkContext(new SparkConf().setAppName("many tasks"))
    Rounds.serve(parameters) {
      sc.range(0, tasks, 1, tasks).foreachPartition(_ => ())
      Sample(ProcessMemory.peakOfThisProcess, "")
    }
    sc.stop()
  }
}

/** The memory of an executor that has nothing to do. */
object ExecutorMemory {
  def main(args: Array[String]): Unit = {
    val sc = new SparkContext(new SparkConf().setAppName("executor memory"))
    sc.range(0, 10, 1, 2).count()
    Rounds.serve(new Parameters(args))(Sample(ProcessMemory.meanOfChildren, ""))
    sc.stop()
  }
}
